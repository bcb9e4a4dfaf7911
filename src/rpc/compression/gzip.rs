//! Unpacks one message that is compressed with gzip, within a limit.
//!
//! A message is one member of gzip, as every gRPC library writes it. Its last four bytes declare how
//! many bytes it unpacks to (RFC 1952, ISIZE). So a message over the limit is refused before anything
//! is unpacked, and one that unpacks to another number of bytes is refused once they differ. The
//! declared length reserves nothing: the memory grows with the bytes that are unpacked.

use std::io::Read as _;

use flate2::bufread::GzDecoder;
use thiserror::Error;

/// The length of the prefix of a message: one byte for compression and four for the length.
pub(in crate::rpc) const PREFIX_BYTES: usize = 5;
/// The start of every member: the two bytes that name gzip, and the only method of compression.
const MEMBER_START: [u8; 3] = [0x1f, 0x8b, 8];
/// The bytes of the shortest member of gzip: a header of 10, an empty block of 2, and a trailer of 8.
const SHORTEST_MEMBER_BYTES: usize = 20;
/// The first capacity for the unpacked bytes of a message that is not shorter.
const FIRST_CAPACITY: usize = 16 << 10;
/// The bytes that are unpacked between two checks whether the caller has left.
const STEP_BYTES: usize = 64 << 10;

/// A message cannot be unpacked. The texts reach the caller.
#[derive(Debug, Error)]
pub(in crate::rpc) enum UnpackError<E> {
    /// The message unpacks to more bytes than its method accepts.
    #[error("the message unpacks to {0} bytes")]
    TooLong(usize),
    /// The message is no member of gzip.
    #[error("{0}")]
    Invalid(String),
    /// The memory for more bytes is refused.
    #[error("the memory is refused")]
    NoMemory(E),
    /// The caller has left.
    #[error("the caller has left")]
    CallerLeft,
}

/// The bytes that `packed` declares to unpack to. `None` if it is no member of gzip.
pub(in crate::rpc) fn unpacked_bytes(packed: &[u8]) -> Option<usize> {
    if packed.len() < SHORTEST_MEMBER_BYTES || !packed.starts_with(&MEMBER_START) {
        return None;
    }
    let declared = u32::from_le_bytes(*packed.last_chunk()?);
    usize::try_from(declared).ok()
}

/// Unpacks `packed`, a message without its prefix, to a message of at most `longest` bytes, and puts
/// the prefix of an uncompressed message before it. `grow` is called with every new capacity of the
/// result before it is allocated, and `has_left` tells whether the caller has left.
///
/// # Errors
/// The message is too long or no member of gzip, `grow` refuses, or the caller has left.
pub(in crate::rpc) fn unpack<E>(
    packed: &[u8],
    longest: usize,
    mut grow: impl FnMut(usize) -> Result<(), E>,
    has_left: impl Fn() -> bool,
) -> Result<Vec<u8>, UnpackError<E>> {
    let invalid = |reason: &str| UnpackError::Invalid(reason.to_owned());
    let declared = unpacked_bytes(packed).ok_or_else(|| invalid("it is no member of RFC 1952"))?;
    if declared > longest {
        return Err(UnpackError::TooLong(declared));
    }
    let length = u32::try_from(declared).map_err(|_| UnpackError::TooLong(declared))?;
    let end = PREFIX_BYTES + declared;
    let mut message = Vec::new();
    let mut decoder = GzDecoder::new(packed);
    while message.len() < end {
        if has_left() {
            return Err(UnpackError::CallerLeft);
        }
        let unpacked = message.len();
        if unpacked == message.capacity() {
            let capacity = unpacked.saturating_mul(2).max(FIRST_CAPACITY).min(end);
            grow(capacity).map_err(UnpackError::NoMemory)?;
            message.reserve_exact(capacity - unpacked);
            if unpacked == 0 {
                message.push(0);
                message.extend_from_slice(&length.to_be_bytes());
                continue;
            }
        }
        let room = message.capacity().min(end) - unpacked;
        message.resize(unpacked + room.min(STEP_BYTES), 0);
        let target = message.get_mut(unpacked..).unwrap_or_default();
        let read = decoder
            .read(target)
            .map_err(|error| UnpackError::Invalid(error.to_string()))?;
        message.truncate(unpacked + read);
        if read == 0 {
            return Err(invalid("it unpacks to fewer bytes than its trailer declares"));
        }
    }
    // The decoder checks the trailer when it is asked for more than there is.
    let beyond = decoder
        .read(&mut [0])
        .map_err(|error| UnpackError::Invalid(error.to_string()))?;
    if beyond > 0 {
        return Err(invalid("it unpacks to more bytes than its trailer declares"));
    }
    if !decoder.get_ref().is_empty() {
        return Err(invalid("bytes follow the end of its member"));
    }
    Ok(message)
}

#[cfg(test)]
mod tests;
