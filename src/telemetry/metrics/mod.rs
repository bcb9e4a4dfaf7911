//! Metrics in the text that Prometheus and most others read, on a port of their own.
//!
//! [`Metrics`] is one set of metrics, without anything global: tests run many servers in one process. It observes calls ([`calls`], [`answers`])
//! and executors ([`models`]) as they go, by counting in cells that are found by index; the rest is read when somebody asks, which
//! is a [`Moment`]: [`load`], [`wire`], [`shadow`] and [`process`]. [`config`] is what is served. A new metric is made by [`Maker`], from wherever it belongs, and gets its line in
//! `docs/reference/metrics.md`, which a test compares with what is exported. [`endpoint`] is the port, with a thread of its own: it answers while
//! everything else is busy.

mod answers;
mod buckets;
mod calls;
mod config;
mod endpoint;
mod error;
mod grid;
mod load;
mod maker;
mod models;
mod moment;
mod pages;
mod process;
mod set;
mod shadow;
mod wire;

pub use config::{ConfigInForce, ModelDescription, Reload};
pub use endpoint::{Endpoint, MetricsListener};
pub use error::MetricsError;
pub use maker::Maker;
pub use moment::{Connections, Moment, Shadow, ShadowCandidate};
pub use pages::Pages;
pub use set::Metrics;
