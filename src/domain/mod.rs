//! Plain types that every layer speaks: no behaviour beyond their own invariants, and no dependency.

mod basis;
mod certificate;
mod guarantee;
mod hex;
mod input;
mod prediction;
mod priority;
mod role;
mod row_flaws;
mod timings;
mod violation;

pub use basis::{Basis, Grounds, ProofKey};
pub use certificate::{Bound, Certificate, Method, Sampling, Status, StopReason};
pub use guarantee::{Guarantee, Norm};
pub use hex::{bytes_of_hex, hex};
pub use input::{Input, InputSpec, Values};
pub use prediction::{Place, Prediction, Provenance};
pub use priority::Priority;
pub use role::{PerRole, Role};
pub use row_flaws::{PROBABILITY_SLACK, RowFlaws, are_probabilities};
pub use timings::{Stage, Timings, Window};
pub use violation::{Violation, Violations};
