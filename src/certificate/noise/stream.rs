//! The random words of one vote.

use super::chacha::KeyStream;
use super::key::NoiseKey;

/// The random words of one vote, from the first.
///
/// Word `i` is the little-endian u64 in bytes `8i..8i + 8` of the ChaCha20 key stream. The
/// request's key is the key, and the vote's number is the stream number.
pub struct NoiseStream(KeyStream);

impl NoiseStream {
    /// The words of vote `vote` (counted from 0 within the request) under `key`. They depend on
    /// nothing else.
    #[must_use]
    pub fn new(key: &NoiseKey, vote: u64) -> Self {
        Self(KeyStream::new(*key.as_bytes(), vote))
    }

    /// Writes the next bytes of the stream. Words stay whole only while each length is a multiple
    /// of 8.
    pub fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}
