//! Recognises a refusal in the frames of a connection.

use std::net::SocketAddr;

use crate::raw_http2::{Frame, RawHttp2, flag, frame, kind};

/// The header `grpc-status: 8` (RESOURCE_EXHAUSTED) in HPACK: both texts in the Huffman code.
const RESOURCE_EXHAUSTED: [u8; 11] = [0x88, 0x9a, 0xca, 0xc8, 0xb2, 0x12, 0x34, 0xda, 0x8f, 0x81, 0x7b];
/// SETTINGS_HEADER_TABLE_SIZE of 0: the server writes each header in full.
const NO_HEADER_TABLE: [u8; 6] = [0, 1, 0, 0, 0, 0];

/// Whether a frame ends its stream with RESOURCE_EXHAUSTED. The connection must have sent
/// [`NO_HEADER_TABLE`].
pub fn is_refusal(frame: &Frame) -> bool {
    let has_status = |payload: &[u8]| {
        payload
            .windows(RESOURCE_EXHAUSTED.len())
            .any(|part| part == RESOURCE_EXHAUSTED)
    };
    is_end(frame) && has_status(&frame.payload)
}

/// A connection on which the server writes each header in full.
pub fn connect_without_header_table(address: SocketAddr) -> RawHttp2 {
    let mut connection = RawHttp2::connect(address);
    connection.send(&frame(kind::SETTINGS, flag::NONE, 0, &NO_HEADER_TABLE));
    connection
}

/// Whether a frame ends its stream, and not the connection.
pub fn is_end(frame: &Frame) -> bool {
    frame.kind == kind::HEADERS && frame.flags & flag::END_STREAM != 0
}
