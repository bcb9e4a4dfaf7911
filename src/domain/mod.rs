//! Plain types that every layer uses. They ensure their own invariants, have no other behaviour,
//! and depend on no other layer.

mod basis;
mod certificate;
mod guarantee;
mod hex;
mod input;
mod prediction;
mod priority;
mod provenance;
mod request_timings;
mod role;
mod row_flaws;
mod violation;

pub use basis::{Basis, JustifiedBasis, ProofKey};
pub use certificate::{BoundKind, Certificate, CertificateMethod, CertificateStatus, SamplingDetails, StopReason};
pub use guarantee::{Guarantee, Norm};
pub use hex::{bytes_of_hex, hex};
pub use input::{Input, InputSpec, ValueEncoding};
pub use prediction::Prediction;
pub use priority::Priority;
pub use provenance::{ComputeEnvironment, Provenance};
pub use request_timings::{ExecutionWindow, RequestStage, RequestTimings};
pub use role::{PerRole, Role};
pub use row_flaws::{PROBABILITY_TOLERANCE, RowFlaws, are_probabilities};
pub use violation::{Violation, Violations};
