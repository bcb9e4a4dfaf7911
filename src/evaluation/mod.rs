//! Evaluations: the outputs of both models for every input of a labelled data set.
//!
//! An [`EvaluationRecord`] keeps the outputs of both models for one input before they are mixed.
//! Predictions, radii and statistics for any mixture follow from the records alone: [`recompute`]
//! counts the answers of many settings, and [`recommend`] chooses one.

mod alpha_command;
mod dataset;
mod derived;
mod error;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
mod examples;
mod header_format;
pub mod recommend;
pub mod recompute;
mod record;
mod record_file;
pub mod report;
mod run;
#[cfg(test)]
mod test_records;

pub use alpha_command::{alpha_command, changed_temperature, setting_command, settings_file_text};
pub use dataset::{
    AcceptedImage, DataSet, DataSetEntry, DataSetOptions, ImageConversions, LabelledInput, MAX_NPY_HEADER_BYTES,
    UPRIGHT, decode_image, is_image, is_npy, overflowing_npy_shape,
};
pub use error::EvaluationError;
pub use record::{
    DataSetIdentity, EvaluatedModel, EvaluationHeader, EvaluationRecord, EvaluationSettings, SamplingConditions,
};
pub use record_file::{EvaluationRecords, RecordFileReader, RecordFileWriter, RunSummary, SkippedInput};
pub use run::{InputOutputs, OutputSource, Pipeline, RunFolder, RunProgress};
