//! Generates the noise keys of one process.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::certificate::noise::{NoiseKey, NoiseSecret};

/// Derives one key for each input and never repeats a key.
///
/// The whole process shares one generator. An engine that is loaded beside another one continues
/// its sequence. A new sequence under the same secret would repeat keys that earlier certificates
/// have published.
#[derive(Debug)]
pub struct NoiseKeyGenerator {
    secret: NoiseSecret,
    next_index: AtomicU64,
}

impl NoiseKeyGenerator {
    /// Creates a generator for `secret`. Nothing else may derive keys from the same secret.
    #[must_use]
    pub const fn new(secret: NoiseSecret) -> Self {
        Self {
            secret,
            next_index: AtomicU64::new(0),
        }
    }

    /// Returns a key that was never used before and that a caller cannot predict.
    pub(super) fn next_key(&self) -> NoiseKey {
        self.secret.derive(self.next_index.fetch_add(1, Ordering::Relaxed))
    }
}
