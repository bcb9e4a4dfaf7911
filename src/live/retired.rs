//! Engines that are not live any more, and still answer the requests that began on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::classifier::Engine;

/// Engines that may be on their way out when another is loaded: each holds its models and threads until its last request is answered.
const MOST: usize = 1;

/// How long at a time such an engine is waited for.
const STEP: Duration = Duration::from_millis(20);

/// Counts them. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(super) struct Retired(Arc<AtomicUsize>);

impl Retired {
    /// Whether there are as many as there may be.
    pub(super) fn is_full(&self) -> bool {
        self.0.load(Ordering::Relaxed) > MOST
    }

    /// Ends `engine` once the last request that reads it is answered, on a thread that nobody waits for.
    pub(super) fn add(&self, engine: Arc<Engine>) {
        let count = Arc::clone(&self.0);
        count.fetch_add(1, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || {
            while Arc::strong_count(&engine) > 1 {
                std::thread::sleep(STEP);
            }
            drop(engine);
            count.fetch_sub(1, Ordering::Relaxed);
            tracing::info!("the models that served before have ended");
        });
    }
}
