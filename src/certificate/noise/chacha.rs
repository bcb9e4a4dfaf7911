//! The ChaCha20 key stream.
//!
//! ChaCha20 as Bernstein defined it: 20 rounds, a 64-bit block counter in words 12 and 13, a 64-bit
//! stream number in words 14 and 15. RFC 8439's variant, with 32 and 96 bits, agrees while both
//! upper parts are 0. The `chacha20` crate of RustCrypto selects AVX2 or SSE2 at run time; `rand`
//! itself has moved to it from `rand_chacha`.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// The bytes of one stream under one key.
pub(super) struct KeyStream(ChaCha20Rng);

impl KeyStream {
    /// The stream with number `stream` under `key`, from its first byte.
    pub(super) fn new(key: [u8; 32], stream: u64) -> Self {
        let mut rng = ChaCha20Rng::from_seed(key);
        rng.set_stream(stream);
        Self(rng)
    }

    /// The next bytes of the stream.
    pub(super) fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}
