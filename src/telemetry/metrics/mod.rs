//! Metrics in the Prometheus text format, on a port of their own.
//!
//! [`Metrics`] is the set of metrics of one server. It is not global, so tests run many servers in
//! one process. It observes calls ([`calls`], [`answers`]), executors ([`models`]) and the
//! configuration ([`config`]) as events happen, and counts in cells that it finds by index. A scrape
//! reads the rest from the [`ServerState`]: [`load`], [`transport`], [`request_memory`], [`shadow`] and
//! [`process`].
//!
//! A new metric is registered through [`registry`] and gets its line in `docs/reference/metrics.md`, which
//! a test compares with the exported text. [`endpoint`] serves the port on a thread of its own, so it
//! answers while everything else is busy. [`endpoint_slots`] takes a slot from a slow peer when another
//! peer needs it, and [`endpoint_page`] encodes one page for all scrapes that wait.

mod all;
mod answers;
mod buckets;
mod callers;
mod calls;
mod config;
mod demand;
mod endpoint;
mod endpoint_page;
mod endpoint_slots;
mod error;
mod label_cells;
mod load;
mod models;
mod process;
mod registry;
mod request_memory;
mod routes;
mod server_state;
mod shadow;
mod transport;

pub use all::Metrics;
pub use endpoint::{ENDPOINT_BYTES, Endpoint, MetricsListener};
pub use error::MetricsError;
pub use routes::Routes;
pub use server_state::ServerState;
