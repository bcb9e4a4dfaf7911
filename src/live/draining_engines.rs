//! Engines that a reload has replaced and that still answer the requests that they began.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::classifier::Engine;

/// The number of engines that may still be draining when another engine is loaded. Each one holds
/// its models and threads until its last request is answered.
const MAX_DRAINING: usize = 1;

/// How often a draining engine is checked for its last request.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The number of engines that are draining. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(super) struct DrainingEngines(Arc<AtomicUsize>);

impl DrainingEngines {
    /// Whether another engine must wait until one of these has ended.
    pub(super) fn is_full(&self) -> bool {
        self.0.load(Ordering::Relaxed) > MAX_DRAINING
    }

    /// Ends `engine` after its last request is answered. A thread of its own waits for that.
    pub(super) fn add(&self, engine: Arc<Engine>) {
        let count = Arc::clone(&self.0);
        count.fetch_add(1, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || {
            while Arc::strong_count(&engine) > 1 {
                std::thread::sleep(POLL_INTERVAL);
            }
            drop(engine);
            count.fetch_sub(1, Ordering::Relaxed);
            tracing::info!("replaced models unloaded");
        });
    }
}
