//! Whether requests are served, for the protocols that have a call of their own for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// As health checks are told. Starts as not ready; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub(super) fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
