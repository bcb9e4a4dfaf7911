//! The signals that stop the server.

use tokio::signal::unix::{SignalKind, signal};

/// Ends when SIGTERM or SIGINT comes.
pub async fn signalled() {
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                tracing::warn!(%error, "a signal cannot be listened for; the server stops only by being killed");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => tracing::info!("SIGTERM: stopping"),
        () = wait(SignalKind::interrupt()) => tracing::info!("SIGINT: stopping"),
    }
}
