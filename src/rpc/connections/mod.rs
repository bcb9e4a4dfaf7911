//! Connections: let in, served, and closed when they are too many, too old, silent, or not wanted any more.
//!
//! An own loop, because tonic's has no limit of connections, closes nobody who is silent, ages all connections at once, and waits
//! at its end for everyone who has one open. [`mod@accept`] lets in, [`drive`] serves one connection until [`lifetime`]
//! says that it ends: a pure function of the time and of what [`activity`] has counted. What a request brings and takes on its
//! way is in [`entry`]; [`received`] bounds how long it may take to come, [`answer`] sees it taken.

mod accept;
mod activity;
mod answer;
mod counts;
mod drive;
mod entry;
mod framing;
mod lifetime;
mod methods;
mod pace;
mod received;
mod watched_io;

pub(super) use accept::accept;
pub use counts::ConnectionCounts;
pub(super) use drive::Server;
pub(super) use methods::Methods;
