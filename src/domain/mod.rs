//! Plain types that every layer uses. They ensure their own invariants, have no other behaviour,
//! and depend on no other layer.

mod basis;
mod caller_name;
mod certificate;
mod hex;
mod input;
mod log_throttle;
mod message_size;
mod model_guarantee;
mod model_outputs;
mod output_row_flaws;
mod prediction;
mod priority;
mod provenance;
mod request_timings;
mod role;
mod violation;

pub use basis::{Basis, JustifiedBasis, ProofKey};
pub use caller_name::is_caller_name;
pub use certificate::{
    AbstentionReason, BoundKind, Certificate, CertificateMethod, CertificateStatus, SamplingDetails, StopReason,
};
pub use hex::{bytes_of_hex, hex};
pub use input::{Float32Range, Input, InputSpec, ValueEncoding};
pub use log_throttle::{LOG_INTERVAL, LogThrottle};
pub use message_size::{AnswerSize, MAX_CAVEAT_BYTES, MAX_REASON_BYTES, MessageLimits, cut, one_input_request};
pub use model_guarantee::{ModelGuarantee, Norm};
pub use model_outputs::{ModelOutputs, RobustOutput};
pub use output_row_flaws::{OutputRowFlaws, PROBABILITY_TOLERANCE, are_probabilities};
pub use prediction::{ClassSource, Prediction};
pub use priority::Priority;
pub use provenance::{ComputeEnvironment, Provenance};
pub use request_timings::{ExecutionWindow, RequestStage, RequestTimings};
pub use role::{PerRole, Role};
pub use violation::{Violation, Violations};
