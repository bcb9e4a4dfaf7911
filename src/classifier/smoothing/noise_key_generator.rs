//! The keys of all noise of one process.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::certificate::noise::{NoiseKey, NoiseSecret};

/// Derives a key for each input, and none twice.
///
/// One for the whole process: a model that is loaded beside another goes on counting where that one stands. If it began
/// anew under the same secret, its keys would be those that earlier certificates have told the world.
#[derive(Debug)]
pub struct NoiseKeyGenerator {
    secret: NoiseSecret,
    used: AtomicU64,
}

impl NoiseKeyGenerator {
    /// Keys under `secret`, which nothing else may use.
    #[must_use]
    pub const fn new(secret: NoiseSecret) -> Self {
        Self {
            secret,
            used: AtomicU64::new(0),
        }
    }

    /// A key that was never used before and cannot be foreseen.
    pub(in crate::classifier) fn fresh(&self) -> NoiseKey {
        self.secret.derive(self.used.fetch_add(1, Ordering::Relaxed))
    }
}
