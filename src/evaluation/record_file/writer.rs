//! Writes record files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::columns::write_columns;
use super::digest::digest;
use super::run_summary::RunSummary;
use super::schema::{DIGESTS_KEY, HEADER_KEY, RUN_KEY, group_rows, schema};
use crate::evaluation::error::EvaluationError;
use crate::evaluation::header_format;
use crate::evaluation::record::{EvaluationHeader, EvaluationRecord};

/// Writes one record file. A file without [`RecordFileWriter::finish`] has no footer, and no reader
/// accepts it.
pub struct RecordFileWriter {
    path: PathBuf,
    header: EvaluationHeader,
    header_json: String,
    writer: SerializedFileWriter<File>,
    pending: Vec<EvaluationRecord>,
    group_rows: usize,
    digests: Vec<String>,
}

impl RecordFileWriter {
    /// Creates or replaces the file at `path`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(path: &Path, header: &EvaluationHeader) -> Result<Self, EvaluationError> {
        let error = |reason: String| EvaluationError::file(path, reason);
        let header_json = header_format::to_json(header).map_err(error)?.to_string();
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(vec![KeyValue::new(HEADER_KEY.to_owned(), header_json.clone())]))
            .build();
        let file = File::create(path).map_err(|reason| EvaluationError::file(path, reason))?;
        let writer = schema(header)
            .and_then(|schema| SerializedFileWriter::new(file, schema, Arc::new(properties)))
            .map_err(|reason| EvaluationError::file(path, reason))?;
        Ok(Self {
            path: path.to_path_buf(),
            header: header.clone(),
            header_json,
            writer,
            pending: Vec::new(),
            group_rows: group_rows(header),
            digests: Vec::new(),
        })
    }

    /// Adds a record. It holds the records of one row group in memory.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, record: EvaluationRecord) -> Result<(), EvaluationError> {
        self.pending.push(record);
        if self.pending.len() >= self.group_rows {
            self.write_group()?;
        }
        Ok(())
    }

    /// Writes the rest and the footer, and returns after the contents have reached the disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(mut self, summary: &RunSummary) -> Result<(), EvaluationError> {
        if !self.pending.is_empty() {
            self.write_group()?;
        }
        let path = self.path;
        let error = |reason: String| EvaluationError::file(&path, reason);
        for (key, value) in [
            (RUN_KEY, serde_json::to_string(summary)),
            (DIGESTS_KEY, serde_json::to_string(&self.digests)),
        ] {
            let value = value.map_err(|reason| error(reason.to_string()))?;
            self.writer
                .append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let file = self.writer.into_inner().map_err(|reason| error(reason.to_string()))?;
        file.sync_all().map_err(|reason| error(reason.to_string()))
    }

    fn write_group(&mut self) -> Result<(), EvaluationError> {
        let records = std::mem::take(&mut self.pending);
        self.digests.push(digest(&self.header_json, &records));
        let mut written = || -> Result<(), ParquetError> {
            let mut group = self.writer.next_row_group()?;
            write_columns(&mut group, &self.header, &records)?;
            group.close().map(|_| ())
        };
        written().map_err(|reason| EvaluationError::file(&self.path, reason))
    }
}
