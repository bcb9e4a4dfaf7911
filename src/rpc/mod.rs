//! The wire: generated code, validation, conversions, thin handlers. The sole user of `tonic` beside the clients.
//!
//! A request comes in through [`service`], is checked by [`decode`], [`tensor`] and [`order`], answered by the classifier, and goes
//! out through [`encode`]. [`open_inference`] is the same by another protocol. [`call`] keeps the record of each. [`listeners`] is
//! where connections come in, [`access`] who may talk, [`connections`] how each is served and ended, [`router`] what they reach.
//! Every error becomes a `Status` in [`status`] and nowhere else.

mod access;
mod answering;
mod call;
mod connections;
mod deadline;
mod decode;
mod early_errors;
mod encode;
mod health;
mod info;
mod listeners;
mod message_size;
pub mod open_inference;
mod order;
mod predict_stream;
pub mod proto;
mod router;
mod service;
mod shadow;
mod status;
mod stream;
mod tensor;
mod unix_socket;

pub use access::{Credentials, CredentialsError, Gate};
pub use connections::ConnectionCounts;
pub use health::Health;
pub use listeners::{ListenError, Listeners};
pub use router::{Serving, serve};
