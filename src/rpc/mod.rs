//! The wire: generated code, validation, conversions, thin handlers. The sole user of `tonic` beside the clients.
//!
//! A request comes in through [`mixed_classifier`], is checked, answered by the classifier, and goes
//! out. [`open_inference`] is the same by another protocol. [`common::call_tracker`] keeps the record of each. [`listeners`] is
//! where connections come in, [`access`] who may talk, [`connections`] how each is served and ended, [`router`] what they reach.
//! Every error becomes a `Status` in [`common::status`] and nowhere else.

mod access;
mod common;
mod connections;
mod health;
mod listeners;
mod mixed_classifier;
pub mod open_inference;
mod router;
mod unix_socket;

pub use access::{AccessControl, CredentialsError, PreparedCredentials};
pub use connections::ConnectionCounts;
pub use health::Health;
pub use listeners::{ListenError, Listeners};
pub use mixed_classifier::proto;
pub use router::{Serving, serve};
