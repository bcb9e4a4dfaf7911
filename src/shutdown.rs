//! The Unix signals that the server handles.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Waits for SIGTERM or SIGINT.
pub async fn termination_signal() {
    let wait_for = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                tracing::warn!(%error, "signal handler not installed; only SIGKILL stops the server");
                std::future::pending::<()>().await;
            }
        }
    };
    let signal = tokio::select! {
        () = wait_for(SignalKind::terminate()) => "SIGTERM",
        () = wait_for(SignalKind::interrupt()) => "SIGINT",
    };
    tracing::info!(signal, "stopping");
}

/// Returns a handle that is notified at each SIGHUP. Without a handler, SIGHUP would end the
/// process.
///
/// # Errors
/// If the signal handler cannot be installed.
pub fn reload_signals() -> std::io::Result<Arc<Notify>> {
    let mut hangups = signal(SignalKind::hangup())?;
    let reload_requested = Arc::new(Notify::new());
    let notifier = Arc::clone(&reload_requested);
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            tracing::info!(signal = "SIGHUP", "reload requested");
            notifier.notify_one();
        }
    });
    Ok(reload_requested)
}
