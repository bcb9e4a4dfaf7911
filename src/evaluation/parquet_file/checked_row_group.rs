//! A row group whose pages have bounded sizes.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::bloom_filter::Sbbf;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::RowGroupReader;
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;

use super::metadata_check::place_of;
use super::page_headers::check_page_headers;

/// The most values of one page. A page of a few bytes can state any number of equal values.
const MAX_PAGE_VALUES: u64 = 1 << 23;
/// The most values in the pages of one column that one step of a reader needs.
const MAX_STEP_VALUES: u64 = 1 << 24;

/// A row group of a file, whose pages are checked before the parser reads them.
pub(in crate::evaluation) struct CheckedRowGroup<'a> {
    group: Box<dyn RowGroupReader + 'a>,
    file: File,
    /// The number of the step of the reader, which the pages of all columns see.
    step: Arc<AtomicU64>,
}

impl<'a> CheckedRowGroup<'a> {
    /// Wraps a row group of the file at `path`.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub(in crate::evaluation) fn new(group: Box<dyn RowGroupReader + 'a>, path: &Path) -> std::io::Result<Self> {
        Ok(Self {
            group,
            file: File::open(path)?,
            step: Arc::default(),
        })
    }

    /// Begins a step, which may read as many values as the one before.
    pub(in crate::evaluation) fn begin_step(&self) {
        self.step.fetch_add(1, Ordering::Relaxed);
    }
}

impl RowGroupReader for CheckedRowGroup<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.group.metadata()
    }

    fn num_columns(&self) -> usize {
        self.group.num_columns()
    }

    fn get_column_page_reader(&self, column: usize) -> Result<Box<dyn PageReader>> {
        let place = place_of(self.metadata().column(column)).unwrap_or_default();
        check_page_headers(&self.file, place).map_err(ParquetError::General)?;
        Ok(Box::new(CheckedPages {
            pages: self.group.get_column_page_reader(column)?,
            step: Arc::clone(&self.step),
            counted_step: 0,
            values: 0,
        }))
    }

    fn get_column_bloom_filter(&self, column: usize) -> Option<&Sbbf> {
        self.group.get_column_bloom_filter(column)
    }

    fn get_row_iter(&self, projection: Option<Type>) -> Result<RowIter<'_>> {
        RowIter::from_row_group(projection, self)
    }
}

/// The pages of a column, with a bound on their values.
struct CheckedPages {
    pages: Box<dyn PageReader>,
    step: Arc<AtomicU64>,
    /// The step whose values are counted.
    counted_step: u64,
    values: u64,
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        let step = self.step.load(Ordering::Relaxed);
        if step != self.counted_step {
            (self.counted_step, self.values) = (step, 0);
        }
        if let Some(page) = &page {
            let values = u64::from(page.num_values());
            self.values += values;
            if values > MAX_PAGE_VALUES || self.values > MAX_STEP_VALUES {
                return Err(ParquetError::General(format!(
                    "a page has {values} values, expected at most {MAX_PAGE_VALUES}, and {MAX_STEP_VALUES} in a row"
                )));
            }
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn supports_deferred_dictionary(&self) -> bool {
        self.pages.supports_deferred_dictionary()
    }

    fn take_deferred_dictionary(&mut self) -> Result<Option<Page>> {
        self.pages.take_deferred_dictionary()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
