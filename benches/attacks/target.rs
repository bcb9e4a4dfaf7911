//! The server under attack, and the sockets to it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

/// The most time that a connect, a read or a write of an attack waits.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(2);

/// The server under attack.
#[derive(Debug, Clone)]
pub struct Target {
    pub grpc: SocketAddr,
    pub metrics: SocketAddr,
    /// The address that the attack comes from: another one than that of the honest callers, because
    /// a server divides its resources by the address of its peers.
    pub source: Ipv4Addr,
    /// A bearer token of the attack's own, for a server that asks for one.
    pub token: Option<String>,
}

impl Target {
    pub fn connect_grpc(&self) -> io::Result<TcpStream> {
        self.connect(self.grpc)
    }

    pub fn connect_metrics(&self) -> io::Result<TcpStream> {
        self.connect(self.metrics)
    }

    /// Connects from the attack's address. The standard library cannot bind a socket before it
    /// connects.
    fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // A full queue of connections must not block the attack: Linux bounds a connect by this.
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(SOCKET_TIMEOUT))?;
        bind(&socket, &SocketAddrV4::new(self.source, 0))?;
        connect(&socket, &address)?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
