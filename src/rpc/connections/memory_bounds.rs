//! The memory that one connection and one request may take beside the messages of requests.

use crate::settings::ConnectionSettings;

/// The flow-control window of one stream, in bytes: data that is sent and not yet read.
pub(super) const STREAM_WINDOW: u32 = 64 << 10;

/// The flow-control window of all streams of one connection, in bytes.
///
/// h2 ends a connection if unread frames of a few bytes fill half of its window. A stream of small
/// requests that waits for its turn fills its own window before.
pub(super) const CONNECTION_WINDOW: u32 = 1 << 20;

/// The most bytes of complete messages that wait for the handler of one request stream, beside the
/// last one.
pub(super) const READ_AHEAD_BYTES: usize = 256 << 10;

/// The memory of one message in the queue of a stream, beside its own bytes.
pub(super) const QUEUED_MESSAGE_BYTES: usize = 256;

/// The memory of the data in h2's buffers that no one reads, of one stream: its window, and what
/// small frames keep of the buffers that they came in.
pub(super) const BLOCKED_STREAM_BYTES: usize = 4 * (STREAM_WINDOW as usize);

/// The memory of one open request beside its headers and messages: its state in h2, its tasks and
/// timers, and tonic's buffers of 8 KiB for the request and for the response.
pub(super) const OPEN_REQUEST_BYTES: usize = 32 << 10;

/// The memory of one header beside its name and value.
pub(super) const HEADER_BYTES: usize = 64;

/// The memory of one connection beside its requests: what h2 has read and not passed on, a block of
/// headers that is incomplete, the tables of HPACK, the buffers of TLS, and frames to be written.
const CONNECTION_STATE_BYTES: usize = 128 << 10;

/// The memory of one request that was refused before its memory was counted, and whose response
/// waits to be written.
pub const REFUSED_REQUEST_BYTES: usize = 1 << 10;

/// The most memory of one connection beside the memory of its requests.
#[must_use]
pub fn connection_bytes(limits: &ConnectionSettings) -> usize {
    let headers = usize::try_from(limits.max_header_bytes).unwrap_or(usize::MAX);
    let window = usize::try_from(CONNECTION_WINDOW).unwrap_or(usize::MAX);
    CONNECTION_STATE_BYTES + 2 * headers + window
}
