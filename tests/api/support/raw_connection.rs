//! A client that sends raw bytes, complete or not.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::server::TEST_TIMEOUT;

/// The HTTP/2 connection preface with an empty SETTINGS frame.
pub const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The beginning of a HEADERS frame of 64 bytes for stream 1. The rest is missing.
pub const PARTIAL_HEADERS_FRAME: &[u8] = b"\0\0\x40\x01\x04\0\0\0\x01\x83\x86";

/// A TCP connection without a protocol.
pub struct RawConnection(pub TcpStream);

impl RawConnection {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(TEST_TIMEOUT)).unwrap();
        Self(stream)
    }

    /// Connects, sends `bytes`, and then sends nothing more.
    pub fn connect_and_send(address: SocketAddr, bytes: &[u8]) -> Self {
        let mut raw = Self::connect(address);
        raw.0.write_all(bytes).unwrap();
        raw
    }

    /// Waits until the server closes the connection, and returns what it sent before.
    pub fn read_until_closed(mut self) -> Vec<u8> {
        let mut received = Vec::new();
        match self.0.read_to_end(&mut received) {
            Ok(_) => received,
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset) => received,
            Err(error) => panic!("the server does not close the connection: {error}"),
        }
    }
}
