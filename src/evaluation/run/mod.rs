//! A run over a data set: inputs in, a record file out, resumable after a kill.
//!
//! One thread reads the data set, each [`OutputWorker`](crate::classifier::OutputWorker) computes on a
//! thread of its own, and the caller's thread writes. [`RunFolder`] keeps what is finished in small
//! record files beside the output, and merges them at the end.

mod folder;
mod pipeline;
mod worker;

pub use folder::RunFolder;
pub use pipeline::{Pipeline, RunProgress};
