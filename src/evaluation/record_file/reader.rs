//! Reads record files, and checks every row.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::columns::GroupColumns;
use super::digest::digest;
use super::run_summary::RunSummary;
use super::schema::{DIGESTS_KEY, HEADER_KEY, RUN_KEY, schema};
use crate::domain::RobustOutput;
use crate::evaluation::error::EvaluationError;
use crate::evaluation::header_format;
use crate::evaluation::record::{EvaluationHeader, EvaluationRecord, SamplingConditions};

/// An open record file.
pub struct RecordFileReader {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    header: EvaluationHeader,
    header_json: String,
    summary: RunSummary,
    digests: Vec<String>,
    rows_read: u64,
    last_index: Option<u64>,
    next_group: usize,
}

impl RecordFileReader {
    /// Opens the file at `path` and reads its header.
    ///
    /// # Errors
    /// If it cannot be read, is not complete, or is not a record file.
    pub fn open(path: &Path) -> Result<Self, EvaluationError> {
        let error = |reason: String| EvaluationError::file(path, reason);
        let file = File::open(path).map_err(|reason| error(reason.to_string()))?;
        let reader = SerializedFileReader::new(file).map_err(|reason| {
            error(format!(
                "is not a complete Parquet file, perhaps because its writer was interrupted: {reason}"
            ))
        })?;
        check_places(reader.metadata()).map_err(error)?;
        let metadata = reader.metadata().file_metadata();
        let entries = metadata.key_value_metadata().map_or(&[][..], Vec::as_slice);
        let header_json = value_of(entries, HEADER_KEY).map_err(error)?.to_owned();
        let header = header_format::from_json(&header_json)
            .map_err(|reason| error(format!("the metadata {HEADER_KEY:?}: {reason}")))?;
        let expected = schema(&header).map_err(|reason| error(reason.to_string()))?;
        if *metadata.schema() != *expected {
            return Err(error("has other columns than an evaluation writes".to_owned()));
        }
        let summary = parse(entries, RUN_KEY).map_err(error)?;
        let digests: Vec<String> = parse(entries, DIGESTS_KEY).map_err(error)?;
        let groups = reader.num_row_groups();
        if digests.len() != groups {
            return Err(error(format!(
                "the metadata {DIGESTS_KEY:?} has {} digests, expected one for each of the {groups} row groups",
                digests.len()
            )));
        }
        Ok(Self {
            path: path.to_path_buf(),
            reader,
            header,
            header_json,
            summary,
            digests,
            rows_read: 0,
            last_index: None,
            next_group: 0,
        })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &EvaluationHeader {
        &self.header
    }

    /// The inputs that the run has seen and skipped.
    #[must_use]
    pub fn summary(&self) -> &RunSummary {
        &self.summary
    }

    /// The number of records.
    #[must_use]
    pub fn record_count(&self) -> u64 {
        u64::try_from(self.reader.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Reads the next row group; `None` after the last.
    ///
    /// # Errors
    /// If it cannot be read, its contents have changed, or a row does not fit the header.
    pub fn next_group(&mut self) -> Result<Option<Vec<EvaluationRecord>>, EvaluationError> {
        let Some(expected_digest) = self.digests.get(self.next_group) else {
            return Ok(None);
        };
        let first_row = self.rows_read;
        let in_group = |reason: String| EvaluationError::row(&self.path, first_row, format!("and after: {reason}"));
        let read = || {
            let group = self.reader.get_row_group(self.next_group)?;
            GroupColumns::read(&*group, &self.header)
        };
        // The parser panics on some damaged metadata.
        let columns = catch_unwind(AssertUnwindSafe(read))
            .map_err(|_| in_group("the Parquet metadata is damaged".to_owned()))?
            .map_err(|error| in_group(error.to_string()))?;
        let records = columns
            .into_records()
            .map_err(|(row, reason)| EvaluationError::row(&self.path, first_row + row, reason))?;
        for (row, record) in (first_row..).zip(&records) {
            check_record(&self.header, record, self.last_index)
                .map_err(|reason| EvaluationError::row(&self.path, row, reason))?;
            self.last_index = Some(record.index);
        }
        if digest(&self.header_json, &records) != *expected_digest {
            return Err(in_group(
                "the contents have changed since they were written: they do not match their SHA-256".to_owned(),
            ));
        }
        self.rows_read += records.len() as u64;
        self.next_group += 1;
        Ok(Some(records))
    }
}

/// Checks that no column has a negative place or length, on which the parser panics.
fn check_places(metadata: &ParquetMetaData) -> Result<(), String> {
    let columns = metadata.row_groups().iter().flat_map(|group| group.columns());
    for (number, column) in columns.enumerate() {
        let place = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        if place < 0 || column.compressed_size() < 0 {
            return Err(format!(
                "the Parquet metadata is damaged: column chunk {number} has no valid place"
            ));
        }
    }
    Ok(())
}

/// All records of a file.
pub struct EvaluationRecords;

impl EvaluationRecords {
    /// Reads the file at `path` into memory.
    ///
    /// # Errors
    /// As for [`RecordFileReader::open`] and [`RecordFileReader::next_group`].
    pub fn read(path: &Path) -> Result<(EvaluationHeader, Vec<EvaluationRecord>), EvaluationError> {
        let mut reader = RecordFileReader::open(path)?;
        let mut records = Vec::new();
        while let Some(group) = reader.next_group()? {
            records.extend(group);
        }
        Ok((reader.header, records))
    }
}

fn value_of<'a>(entries: &'a [KeyValue], key: &str) -> Result<&'a str, String> {
    let entry = entries.iter().find(|entry| entry.key == key);
    entry.and_then(|entry| entry.value.as_deref()).ok_or_else(|| {
        format!("is a Parquet file, but not one that `certimix evaluate` wrote: its metadata has no {key:?}")
    })
}

fn parse<T: serde::de::DeserializeOwned>(entries: &[KeyValue], key: &str) -> Result<T, String> {
    serde_json::from_str(value_of(entries, key)?).map_err(|error| format!("the metadata {key:?}: {error}"))
}

/// Checks that `record` fits the header, and comes after the record with the index `last_index`.
fn check_record(header: &EvaluationHeader, record: &EvaluationRecord, last_index: Option<u64>) -> Result<(), String> {
    let classes = header.labels.len();
    let is_class = |class: u32| usize::try_from(class).is_ok_and(|class| class < classes);
    if last_index.is_some_and(|last| record.index <= last) {
        return Err(format!("index is {}, expected more than the row before", record.index));
    }
    if let Some(label) = record.label.filter(|&label| !is_class(label)) {
        return Err(format!("label is {label}, expected 0 to {}", classes - 1));
    }
    let check_row = |column: &str, row: &[f32]| match row.len() {
        found if found == classes => Ok(()),
        found => Err(format!("{column} has {found} values, expected {classes}")),
    };
    check_row("standard", &record.standard)?;
    match (&record.robust, &header.sampling) {
        (RobustOutput::Row(row), _) => check_row("robust", row)?,
        (RobustOutput::Votes(votes), sampling) => {
            let expected = sampling.as_ref().map_or(0, SamplingConditions::votes);
            if votes.len() as u64 != expected {
                return Err(format!("votes has {} values, expected {expected}", votes.len()));
            }
            if let Some(class) = votes.iter().flatten().find(|&&class| !is_class(class)) {
                return Err(format!("votes has the class {class}, expected 0 to {}", classes - 1));
            }
        }
    }
    for (column, value) in [("snapping_loss", record.snapping_loss), ("seconds", record.seconds)] {
        if !(0.0..f64::INFINITY).contains(&value) {
            return Err(format!("{column} is {value}, expected a finite number from 0"));
        }
    }
    Ok(())
}
