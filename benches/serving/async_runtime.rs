//! The tokio runtime of the load generator.

use std::future::Future;

/// Runs the load to its end on the current thread.
pub fn block_on_this_thread<T>(load: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(load)
}
