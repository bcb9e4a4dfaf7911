//! The random words of one vote.
//!
//! ChaCha20 as Bernstein defined it: 20 rounds, a 64-bit block counter in words 12 and 13, a 64-bit stream number in
//! words 14 and 15 (RFC 8439's variant, with 32 and 96 bits, agrees while both upper parts are 0). From the `chacha20`
//! crate of RustCrypto, which picks AVX2 or SSE2 when it runs; `rand` itself has moved to it from `rand_chacha`.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use super::key::NoiseKey;

/// The words of one vote, from the first: word `i` is the little-endian u64 in bytes `8i..8i + 8` of the ChaCha20
/// key stream whose key is the request's and whose stream number is the vote's.
pub struct NoiseStream(ChaCha20Rng);

impl NoiseStream {
    /// The words of vote `vote` (counted from 0 within the request) under `key`. It depends on nothing else.
    #[must_use]
    pub fn new(key: &NoiseKey, vote: u64) -> Self {
        Self::keyed(*key.as_bytes(), vote)
    }

    pub(super) fn keyed(key: [u8; 32], stream: u64) -> Self {
        let mut rng = ChaCha20Rng::from_seed(key);
        rng.set_stream(stream);
        Self(rng)
    }

    /// The next bytes of the stream. Words stay whole only while the lengths asked for are multiples of 8.
    pub fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}
