//! Why there are no metrics.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

/// Why there are no metrics.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// There is nowhere to serve them.
    #[error("cannot listen on {address} (metrics.listen): {reason}; name another address, or \"\" for none")]
    Listen {
        /// As set.
        address: SocketAddr,
        /// What the operating system says.
        reason: io::Error,
    },
    /// A metric is defined wrongly, or twice: an error of this program.
    #[error("metrics: {0}")]
    Definition(#[from] prometheus::Error),
    /// No thread to serve them.
    #[error("cannot start the thread that serves metrics: {0}")]
    Thread(io::Error),
}
