//! The listeners of the server: TCP, and a Unix socket if the settings name one.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::net::TcpListener;

use super::unix_socket::{self, UnixSocketError, UnixSocketListener};
use crate::settings::ServerSettings;

/// The server cannot listen. Each error names its setting.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The TCP address cannot be bound.
    #[error("cannot listen on {address} (server.listen): {reason}")]
    Tcp {
        /// The address in the settings.
        address: SocketAddr,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// The Unix socket cannot be bound.
    #[error("cannot listen on {} (server.unix_socket): {reason}", path.display())]
    Unix {
        /// The path in the settings.
        path: PathBuf,
        /// The cause.
        reason: String,
        /// Whether another server listens there.
        in_use: bool,
    },
}

impl ListenError {
    fn unix(path: &Path, reason: &UnixSocketError) -> Self {
        Self::Unix {
            path: path.to_path_buf(),
            reason: reason.to_string(),
            in_use: matches!(reason, UnixSocketError::InUse),
        }
    }

    /// Whether another process listens there. It may be a server with the same settings.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        match self {
            Self::Tcp { reason, .. } => reason.kind() == io::ErrorKind::AddrInUse,
            Self::Unix { in_use, .. } => *in_use,
        }
    }
}

/// The listeners of one server. Dropping them removes the file of the Unix socket.
pub struct Listeners {
    address: SocketAddr,
    tcp: TcpListener,
    unix: Option<UnixSocketListener>,
}

impl Listeners {
    /// Binds the addresses that `settings` name.
    ///
    /// # Errors
    /// The address is in use, or another server or another file holds the socket's path.
    pub async fn bind(settings: &ServerSettings) -> Result<Self, ListenError> {
        let failed = |reason| ListenError::Tcp {
            address: settings.listen,
            reason,
        };
        let tcp = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        let unix = match &settings.unix_socket {
            Some(path) => Some(bind_unix_socket(path, settings.unix_socket_mode).await?),
            None => None,
        };
        Ok(Self { address, tcp, unix })
    }

    /// Checks that the Unix socket that `settings` name could be bound, without binding it.
    ///
    /// # Errors
    /// Another server or another file holds the path, or its folder cannot be written.
    pub async fn check_unix_socket(settings: &ServerSettings) -> Result<(), ListenError> {
        let Some(path) = &settings.unix_socket else {
            return Ok(());
        };
        unix_socket::check(path)
            .await
            .map_err(|reason| ListenError::unix(path, &reason))
    }

    /// The TCP address. The operating system chooses the port if the settings name port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The path of the Unix socket, if there is one.
    #[must_use]
    pub fn unix_socket(&self) -> Option<&Path> {
        self.unix.as_ref().map(UnixSocketListener::path)
    }

    /// The TCP listener and the Unix socket listener.
    pub(super) fn into_parts(self) -> (TcpListener, Option<UnixSocketListener>) {
        (self.tcp, self.unix)
    }
}

async fn bind_unix_socket(path: &Path, mode: u32) -> Result<UnixSocketListener, ListenError> {
    let bound = UnixSocketListener::bind(path, mode).await;
    bound.map_err(|reason| ListenError::unix(path, &reason))
}
