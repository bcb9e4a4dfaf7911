//! The memory of the queues of logs and traces.

use super::logs::MAX_QUEUED_LINES;
use super::span_queue::MAX_QUEUED_SPANS;

/// The bytes of a line of the log. What callers sent and a line quotes is cut.
const LINE_BYTES: usize = 1 << 10;

/// The bytes of a span with its attributes.
const SPAN_BYTES: usize = 2 << 10;

/// The most memory of the lines and spans that wait, in bytes.
pub const QUEUED_BYTES: usize = MAX_QUEUED_LINES * LINE_BYTES + MAX_QUEUED_SPANS * SPAN_BYTES;
