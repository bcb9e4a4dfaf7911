//! The wire: generated code, validation, conversions, thin handlers. The sole user of `tonic` beside the clients.
//!
//! A request comes in through [`service`], is checked by [`decode`] and [`order`], answered by the classifier, and goes
//! out through [`encode`]. [`listeners`] is where connections come in, [`router`] what they reach. Every error becomes a `Status` in [`status`] and nowhere else.

mod answering;
mod deadline;
mod decode;
mod early_errors;
mod encode;
mod info;
mod listeners;
mod order;
mod predict_stream;
pub mod proto;
mod router;
mod service;
mod shadow;
mod status;
mod stream;
mod unix_socket;

pub use listeners::{ListenError, Listeners};
pub use router::{Health, Serving, serve};
