//! The listeners of the server: TCP, and a Unix socket if the settings name one.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

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

/// Connections that wait until the server accepts them, as for a listener of the standard library.
const BACKLOG: u32 = 1024;

/// The TCP port of a server.
enum TcpPort {
    /// It accepts connections.
    Listening(TcpListener),
    /// It belongs to this process, and the operating system refuses connections.
    Bound(TcpSocket),
}

/// Opens the TCP port of a server that is ready, if it does not accept connections yet.
pub struct TcpOpener {
    address: SocketAddr,
    socket: Option<(TcpSocket, oneshot::Sender<TcpListener>)>,
}

impl TcpOpener {
    /// From its return on, the operating system accepts connections.
    ///
    /// # Errors
    /// Another process has begun to listen on the address.
    pub fn open(self) -> Result<(), ListenError> {
        let Some((socket, listener)) = self.socket else {
            return Ok(());
        };
        let opened = socket.listen(BACKLOG).map_err(|reason| ListenError::Tcp {
            address: self.address,
            reason,
        })?;
        // The receiver is gone if the server stops.
        let _ = listener.send(opened);
        Ok(())
    }
}

/// The listeners of one server. Dropping them removes the file of the Unix socket.
pub struct Listeners {
    address: SocketAddr,
    tcp: TcpPort,
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
        let (tcp, address) = if settings.accept_before_ready {
            let listener = TcpListener::bind(settings.listen).await.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            (TcpPort::Listening(listener), address)
        } else {
            let socket = bind_tcp_socket(settings.listen).map_err(failed)?;
            let address = socket.local_addr().map_err(failed)?;
            (TcpPort::Bound(socket), address)
        };
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

    /// The TCP listener, once it accepts connections, its opener, and the Unix socket listener.
    pub(super) fn into_parts(self) -> (oneshot::Receiver<TcpListener>, TcpOpener, Option<UnixSocketListener>) {
        let (sender, listener) = oneshot::channel();
        let socket = match self.tcp {
            TcpPort::Listening(tcp) => {
                // The receiver is below.
                let _ = sender.send(tcp);
                None
            }
            TcpPort::Bound(socket) => Some((socket, sender)),
        };
        let opener = TcpOpener {
            address: self.address,
            socket,
        };
        (listener, opener, self.unix)
    }
}

/// Binds `address` without listening. Like a listener, it takes an address whose old connections
/// have not ended yet.
fn bind_tcp_socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn bind_unix_socket(path: &Path, mode: u32) -> Result<UnixSocketListener, ListenError> {
    let bound = UnixSocketListener::bind(path, mode).await;
    bound.map_err(|reason| ListenError::unix(path, &reason))
}
