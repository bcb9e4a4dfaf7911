//! `certimix verify`: served certificates recomputed from their own counts.

pub(super) mod certificate_verifier;
mod claim_check;
mod class_check;
mod command;

pub use command::{VerifyArgs, run};
