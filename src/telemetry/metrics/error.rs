//! The errors of the metrics.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

/// Why the metrics cannot be served.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// The address of `metrics.listen` cannot be bound.
    #[error("cannot listen on {address} (metrics.listen): {reason}; set another address, or \"\" for none")]
    Listen {
        /// The address in the settings.
        address: SocketAddr,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// A metric is defined wrongly or twice, which is a bug.
    #[error("metrics: {0}")]
    Definition(#[from] prometheus::Error),
    /// The thread that serves the metrics cannot be started.
    #[error("cannot start the thread that serves metrics: {0}")]
    Thread(io::Error),
}
