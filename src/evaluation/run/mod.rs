//! A run over a data set: inputs in, a record file out, resumable after a kill.
//!
//! One thread reads the data set, each [`OutputSource`] computes on a thread of its own, and the
//! caller's thread writes. A source is an [`OutputWorker`](crate::classifier::OutputWorker) of this
//! process, or a running service. [`RunFolder`] keeps what is finished in small
//! record files beside the output, and merges them at the end.

mod folder;
mod outcome;
mod output_source;
mod pipeline;
mod worker;

pub use folder::RunFolder;
pub use output_source::{InputOutputs, OutputSource};
pub use pipeline::{Pipeline, RunProgress};
