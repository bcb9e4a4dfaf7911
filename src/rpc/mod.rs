//! The gRPC server: listeners, connections, authentication and the handlers of both protocols.
//!
//! Only this module and the clients use `tonic`.
//!
//! - [`server`] runs the server, and [`routes`] combines its services.
//! - [`listeners`] and [`unix_socket`] accept connections, and [`connections`] serves them.
//! - [`access`] authenticates callers, and [`health`] reports readiness.
//! - [`mixed_classifier`] handles `certimix.v1`, and [`open_inference`] handles the Open Inference
//!   Protocol. Neither imports the other.
//! - [`memory`] bounds the memory of requests, and [`compression`] unpacks compressed messages.
//! - [`common`] supports the handlers of both protocols and imports neither.

mod access;
mod common;
mod compression;
mod connections;
mod health;
mod listeners;
mod memory;
mod mixed_classifier;
pub mod open_inference;
mod routes;
mod server;
mod unix_socket;

pub use access::{AccessControl, CredentialsError};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use compression::fuzzing;
pub use connections::{
    ConnectionCounts, ConnectionStage, ConnectionView, REFUSED_REQUEST_BYTES, choose_victim, connection_bytes,
    raise_file_limit,
};
pub use health::HealthReporter;
pub use listeners::{ListenError, Listeners, TcpOpener};
pub use memory::{MemoryUsage, RequestMemory};
pub use mixed_classifier::proto;
pub use server::{RunningServer, serve};
