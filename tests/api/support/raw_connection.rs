//! A peer that speaks bytes, and stops whenever it likes.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::server::TEST_TIMEOUT;

/// The preface of HTTP/2 and empty settings.
pub const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// What every frame of headers begins with that is of stream 1 and 64 bytes long: and only half of it follows.
pub const PARTIAL_HEADERS_FRAME: &[u8] = b"\0\0\x40\x01\x04\0\0\0\x01\x83\x86";

pub struct RawConnection(pub TcpStream);

impl RawConnection {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(TEST_TIMEOUT)).unwrap();
        Self(stream)
    }

    /// A peer that has said `bytes` and says no more.
    pub fn connect_and_send(address: SocketAddr, bytes: &[u8]) -> Self {
        let mut raw = Self::connect(address);
        raw.0.write_all(bytes).unwrap();
        raw
    }

    /// Waits until the server hangs up; what it said before.
    pub fn read_until_closed(mut self) -> Vec<u8> {
        let mut said = Vec::new();
        match self.0.read_to_end(&mut said) {
            Ok(_) => said,
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset) => said,
            Err(error) => panic!("the server does not hang up: {error}"),
        }
    }

    /// Whether the server has not hung up yet.
    pub fn is_open(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let mut byte = [0];
        let open = match self.0.peek(&mut byte) {
            Ok(read) => read > 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        self.0.set_nonblocking(false).unwrap();
        open
    }
}
