//! Accepts connections, serves HTTP/2 on them, and closes those that are idle, too old or blocked.
//!
//! The server does not use tonic's connection loop. That loop has no limit on connections, closes
//! no silent peer, ends connections of the same age together, and waits at shutdown for every peer
//! that keeps a connection open.
//!
//! [`mod@accept`] accepts connections, and [`connection`] serves one of them. [`lifetime`] decides
//! when a connection ends, as a pure function of the time and of the counts in [`activity`].
//! [`request`] passes each request to its handler; [`request_body`] limits how long the request may
//! take to arrive, and [`response_body`] records when the peer reads the response.
//!
//! [`monitored_io`] carries the bytes. [`frame_monitor`] finds the frames in them:
//! [`frame_account`] limits those that cost the server more than their sender, and [`poll_budget`]
//! bounds those that the connection processes before other connections have their turn.

mod accept;
mod activity;
mod connection;
mod counts;
mod frame_account;
mod frame_headers;
mod frame_monitor;
mod lifetime;
mod log_throttle;
mod message_framing;
mod method_descriptors;
mod monitored_io;
mod poll_budget;
mod request;
mod request_body;
mod response_body;

pub(super) use accept::accept;
pub(super) use connection::ConnectionServer;
pub use counts::ConnectionCounts;
pub(super) use method_descriptors::MethodDescriptors;
