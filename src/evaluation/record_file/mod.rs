//! Record files: Parquet, one line an input, with the header in the metadata.
//!
//! [`RecordFileWriter`] writes groups of records, [`RecordFileReader`] reads them again, one group at
//! a time. A digest of each group in the metadata finds changed contents.

mod columns;
mod digest;
mod reader;
mod run_summary;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{EvaluationRecords, RecordFileReader};
pub use run_summary::{RunSummary, SkippedInput};
pub use writer::RecordFileWriter;
