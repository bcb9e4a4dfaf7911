//! Accepts connections, serves HTTP/2 on them, and closes those that are idle, too old or blocked.
//!
//! The server does not use tonic's connection loop. That loop has no limit on connections, closes
//! no silent peer, ends connections of the same age together, and waits at shutdown for every peer
//! that keeps a connection open.
//!
//! [`mod@accept`] accepts connections, and [`connection`] serves one of them. A connection holds one
//! of the [`slots`] of its listener: [`connection_table`] decides who gets a slot, and [`eviction`]
//! who loses one, as pure functions. [`lifetime`] decides when a connection ends, as a pure function
//! of the time and of the counts in [`activity`]. [`handshake_gate`] shares the cost of TLS handshakes
//! between peers, and [`file_limit`] knows how many connections the process has files for.
//! [`request`] passes each request to its handler, and [`open_request`] knows whether the server works
//! on it. [`request_body`] and [`request_stream`] collect its messages within the bounds of
//! [`memory_bounds`] and of the time that [`request_arrival`] allows, [`compressed_message`] unpacks
//! those that are compressed, and [`response_body`] records when the peer reads the response.
//!
//! [`monitored_io`] carries the bytes. [`frame_monitor`] finds the frames in them:
//! [`frame_account`] limits those that cost the server more than their sender, and [`poll_budget`]
//! bounds those that the connection processes before other connections have their turn. [`authority`]
//! makes the authorities in them acceptable to h2.

mod accept;
mod activity;
mod authority;
mod compressed_message;
mod connection;
mod connection_table;
mod counts;
mod eviction;
mod file_limit;
mod frame_account;
mod frame_headers;
mod frame_monitor;
mod handshake_gate;
mod lifetime;
mod memory_bounds;
mod message_collector;
mod message_memory;
mod method_descriptors;
mod monitored_io;
mod open_request;
mod open_streams;
mod poll_budget;
mod received_body;
mod request;
mod request_arrival;
mod request_body;
mod request_headers;
mod request_stream;
mod response_body;
mod slots;

pub(super) use accept::accept;
pub(super) use connection::{ConnectionServer, ConnectionServerParts};
pub use counts::ConnectionCounts;
pub use eviction::{ConnectionStage, ConnectionView, choose_victim};
pub(super) use file_limit::connection_capacity;
pub use file_limit::raise_file_limit;
pub use memory_bounds::{REFUSED_REQUEST_BYTES, connection_bytes};
pub(super) use method_descriptors::MethodDescriptors;
