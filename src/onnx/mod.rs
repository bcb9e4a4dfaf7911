//! Models on ONNX Runtime: manifests, execution providers, sessions. The sole user of `ort`.
//!
//! A [`Model`] is a manifest and an ONNX file that were checked against each other; it opens as many sessions as are
//! asked for. A session is a [`Backend`]: it belongs to one thread and runs rows. [`self_test()`] finds out whether a
//! backend computes one deterministic function of each row, as a smoothed certificate needs.

mod backend;
mod error;
mod halt;
mod manifest;
mod model;
mod one_file;
mod processor;
mod proof;
mod provider;
mod runtime;
mod self_test;
mod session;

pub use backend::{Backend, BackendError};
pub use error::OnnxError;
pub use halt::Halt;
pub use manifest::{Manifest, OutputKind};
pub use model::{Model, check_pair};
pub use processor::processor;
pub use proof::{grounds, proof_path};
pub use provider::ProviderInUse;
pub use runtime::Runtime;
pub use self_test::{SelfTest, self_test};
pub use session::OnnxSession;
