//! Sockets that hold a place and send nothing.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::attack::{Attack, Session};
use super::raw_http2::preface;
use super::target::Target;

/// The port that the sockets connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    Grpc,
    /// The HTTP/2 preface is sent, and nothing after it.
    GrpcWithPreface,
    Metrics,
}

/// Many sockets that send nothing. What the server closes is opened again.
pub struct SilentSockets {
    pub sockets: usize,
    pub port: Port,
    /// The time between two looks at the sockets.
    pub pause: Duration,
}

impl SilentSockets {
    fn open(&self, target: &Target) -> io::Result<TcpStream> {
        match self.port {
            Port::Grpc => target.connect_grpc(),
            Port::GrpcWithPreface => {
                let mut stream = target.connect_grpc()?;
                stream.write_all(&preface())?;
                Ok(stream)
            }
            Port::Metrics => target.connect_metrics(),
        }
    }
}

impl Attack for SilentSockets {
    fn name(&self) -> &'static str {
        match self.port {
            Port::Grpc => "silent sockets",
            Port::GrpcWithPreface => "silent after preface",
            Port::Metrics => "silent on metrics",
        }
    }

    fn run(&self, target: &Target, session: &Session) -> io::Result<()> {
        let mut open = Vec::new();
        while !session.is_stopped() {
            while open.len() < self.sockets && !session.is_stopped() {
                open.push(self.open(target)?);
                session.count_connection();
                session.count_sent(1);
            }
            session.wait(self.pause);
            open.retain(is_open);
        }
        Ok(())
    }
}

/// Whether the server keeps the connection open. What it sent is left unread.
fn is_open(stream: &TcpStream) -> bool {
    let mut byte = [0];
    let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut byte));
    let blocking = stream.set_nonblocking(false);
    blocking.is_ok()
        && match peeked {
            Ok(bytes) => bytes > 0,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
}
