//! Messages of requests that their caller has compressed with gzip.
//!
//! tonic never sees them: it would unpack them without counting the memory, on a thread that serves
//! connections. [`message_encoding`] reads what a request declares, [`gzip`] unpacks one message
//! within its limit, and [`unpack_turns`] lets one message unpack at a time. Answers are not
//! compressed: logits and probabilities hardly shrink, and a control loop would pay for the attempt.

#[cfg(any(test, feature = "fuzzing"))]
#[allow(clippy::unwrap_used, reason = "a fuzz target stops at the first surprise")]
pub(crate) mod fuzzing;
mod gzip;
mod message_encoding;
mod unpack_turns;

pub(in crate::rpc) use gzip::{PREFIX_BYTES, UnpackError, unpack, unpacked_bytes};
pub(in crate::rpc) use message_encoding::{GRPC_ENCODING, MessageEncoding, read_message_encoding};
pub(in crate::rpc) use unpack_turns::{ConnectionTurns, UnpackTurns};
