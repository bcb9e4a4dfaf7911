//! Models on ONNX Runtime: manifests, execution providers and sessions. The sole user of `ort`.
//!
//! A [`Model`] is a manifest and an ONNX file that are checked against each other. An
//! [`OnnxSession`] is one open session of a model and implements [`Backend`]: one thread owns it
//! and runs rows on it. [`self_test()`] checks whether backends compute one function of each row,
//! as every prediction requires. [`OutputTolerance`] defines when two outputs count as equal.

mod backend;
mod cancellation;
mod cpu_description;
mod declared_tensors;
mod element_type;
mod error;
mod execution_provider;
#[cfg(any(test, feature = "fuzzing"))]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a fuzz target stops at the first surprise"
)]
pub(crate) mod fuzzing;
mod graph;
mod guarantee_basis;
mod input_conversion;
mod inspected_model;
mod manifest;
mod manifest_format;
mod model;
mod model_file;
mod model_pair;
mod output_tolerance;
mod proof_record;
mod runtime;
mod runtime_log;
mod self_test;
mod session;
mod session_options;

pub use backend::{Backend, BackendError};
pub use cancellation::Cancellation;
pub use cpu_description::cpu_description;
pub use element_type::ElementType;
pub use error::OnnxError;
pub use execution_provider::ActiveProvider;
pub use graph::{RangeSource, VisibleRange};
pub use guarantee_basis::guarantee_basis;
pub use input_conversion::InputConversion;
pub use inspected_model::{InspectedModel, OutputTensor, TensorDescription};
pub use manifest::Manifest;
pub use manifest_format::OutputKind;
pub use model::Model;
pub use model_file::{ModelFile, check_model_file};
pub use model_pair::check_pair_compatibility;
pub use output_tolerance::OutputTolerance;
pub use proof_record::files_of_manifest;
pub use runtime::Runtime;
pub use self_test::{SelfTestOutcome, SelfTestReport, self_test};
pub use session::{OnnxSession, warm_up};
