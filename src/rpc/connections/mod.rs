//! Connections: let in, served, and closed when they are too many, too old, silent, or not wanted any more.
//!
//! An own loop, because tonic's has no limit of connections, closes nobody who is silent, ages all connections at once, and waits
//! at its end for everyone who has one open. [`mod@accept`] lets in, [`connection`] serves one connection until [`lifetime`]
//! says that it ends: a pure function of the time and of what [`activity`] has counted. What a request brings and takes on its
//! way is in [`request`]; [`request_body`] bounds how long it may take to come, [`response_body`] sees it taken.

mod accept;
mod activity;
mod connection;
mod counts;
mod framing;
mod lifetime;
mod log_throttle;
mod methods;
mod monitored_io;
mod request;
mod request_body;
mod response_body;

pub(super) use accept::accept;
pub(super) use connection::Server;
pub use counts::ConnectionCounts;
pub(super) use methods::Methods;
