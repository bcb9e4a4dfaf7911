//! Models on ONNX Runtime: manifests, execution providers, sessions. The sole user of `ort`.
//!
//! A [`Model`] is a manifest and an ONNX file that were checked against each other; it opens as many sessions as are
//! asked for. A session is a [`Backend`]: it belongs to one thread and runs rows. [`self_test()`] finds out whether
//! backends compute one function of each row, as every answer needs; [`Agreement`] says what counts as the same.

#[path = "output_tolerance.rs"]
mod agreement;
mod backend;
mod error;
mod graph;
#[path = "cancellation.rs"]
mod halt;
mod manifest;
mod manifest_format;
mod model;
#[path = "cpu_description.rs"]
mod processor;
#[path = "guarantee_basis.rs"]
mod proof;
#[path = "execution_provider.rs"]
mod provider;
mod runtime;
mod self_test;
mod session;

pub use agreement::Agreement;
pub use backend::{Backend, BackendError};
pub use error::OnnxError;
pub use halt::Halt;
pub use manifest::Manifest;
pub use manifest_format::OutputKind;
pub use model::{Model, check_pair};
pub use processor::processor;
pub use proof::{grounds, proof_path};
pub use provider::ProviderInUse;
pub use runtime::Runtime;
pub use self_test::{Findings, Verdict, self_test};
pub use session::OnnxSession;
