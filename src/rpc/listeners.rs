//! Where connections come in: TCP always, a Unix socket beside it if the operator names one.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::net::TcpListener;

use super::unix_socket::{self, SocketError};
use crate::settings::ServerSettings;

/// Why there is nowhere to listen: each names its setting.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The TCP address.
    #[error("cannot listen on {address} (server.listen): {reason}")]
    Tcp {
        /// As set.
        address: SocketAddr,
        /// What the operating system says.
        reason: io::Error,
    },
    /// The Unix socket.
    #[error("cannot listen on {} (server.unix_socket): {reason}", path.display())]
    Unix {
        /// As set.
        path: PathBuf,
        /// What is in the way.
        reason: String,
    },
}

/// The listeners of one server. The socket's file is removed with them.
pub struct Listeners {
    address: SocketAddr,
    tcp: TcpListener,
    unix: Option<unix_socket::Listener>,
}

impl Listeners {
    /// Listens where `settings` say.
    ///
    /// # Errors
    /// If the address is taken, or the socket's path is another server's or no socket.
    pub async fn bind(settings: &ServerSettings) -> Result<Self, ListenError> {
        let failed = |reason| ListenError::Tcp {
            address: settings.listen,
            reason,
        };
        let tcp = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        let unix = match &settings.unix_socket {
            Some(path) => Some(unix(path, settings.unix_socket_mode).await?),
            None => None,
        };
        Ok(Self { address, tcp, unix })
    }

    /// The TCP address; its port is the system's choice if the settings say 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The path of the Unix socket, if there is one.
    #[must_use]
    pub fn unix_socket(&self) -> Option<&Path> {
        self.unix.as_ref().map(unix_socket::Listener::path)
    }

    /// Each way in by itself.
    pub(super) fn into_parts(self) -> (TcpListener, Option<unix_socket::Listener>) {
        (self.tcp, self.unix)
    }
}

async fn unix(path: &Path, mode: u32) -> Result<unix_socket::Listener, ListenError> {
    let bound = unix_socket::Listener::bind(path, mode).await;
    bound.map_err(|reason: SocketError| ListenError::Unix {
        path: path.to_path_buf(),
        reason: reason.to_string(),
    })
}
