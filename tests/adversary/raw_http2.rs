//! An HTTP/2 client that sends any frame, valid or not.

use std::io::{self, ErrorKind, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The most time that one read or write may wait.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Frame types.
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Frame flags.
pub mod flag {
    pub const NONE: u8 = 0;
    pub const END_STREAM: u8 = 1;
    pub const ACK: u8 = 1;
    pub const END_HEADERS: u8 = 4;
}

/// The bytes that open a connection, with an empty SETTINGS frame.
pub fn preface() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(kind::SETTINGS, flag::NONE, 0, &[]));
    bytes
}

/// A received frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The HEADERS frame of a gRPC request for `path`, with further headers. No header enters the
/// dynamic table of HPACK.
pub fn request_headers(stream: u32, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    // Indexed: ":method: POST" and ":scheme: http".
    let mut block = vec![0x83, 0x86];
    let standard = [
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    for (name, value) in standard.iter().chain(headers) {
        block.push(0);
        for text in [name, value] {
            let length = u8::try_from(text.len()).unwrap();
            assert!(length < 127, "the text needs a longer length");
            block.push(length);
            block.extend(text.bytes());
        }
    }
    frame(kind::HEADERS, flag::END_HEADERS, stream, &block)
}

/// A gRPC message: the prefix, which declares `length` bytes, and `bytes`.
pub fn grpc_message(length: usize, bytes: &[u8]) -> Vec<u8> {
    let mut message = vec![0];
    message.extend(u32::try_from(length).unwrap().to_be_bytes());
    message.extend(bytes);
    message
}

/// Reads one frame.
pub fn read_frame(source: &mut impl Read) -> io::Result<Frame> {
    let mut header = [0; 9];
    source.read_exact(&mut header)?;
    let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    source.read_exact(&mut payload)?;
    Ok(Frame {
        kind: header[3],
        flags: header[4],
        stream: u32::from_be_bytes([header[5] & 0x7f, header[6], header[7], header[8]]),
        payload,
    })
}

/// A connection that has sent the preface.
pub struct RawHttp2 {
    stream: TcpStream,
}

impl RawHttp2 {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(TIMEOUT)).unwrap();
        let mut connection = Self { stream };
        assert!(connection.send(&preface()));
        connection
    }

    /// Sends bytes. Returns false if the server has closed the connection.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        match self.stream.write_all(bytes) {
            Ok(()) => true,
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => false,
            Err(error) => panic!("cannot send: {error}"),
        }
    }

    /// The next frame; `None` once the server has closed the connection.
    pub fn read(&mut self) -> Option<Frame> {
        match read_frame(&mut self.stream) {
            Ok(frame) => Some(frame),
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => None,
            Err(error) => panic!("the server sends nothing and does not close the connection: {error}"),
        }
    }

    /// Reads frames up to the first one that satisfies `condition`; `None` once the server has
    /// closed the connection.
    pub fn read_until(&mut self, condition: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.read()?;
            if condition(&frame) {
                return Some(frame);
            }
        }
    }
}
