//! The signals that a server listens to.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

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

/// Tells of each SIGHUP, which would end the process otherwise.
///
/// # Errors
/// If the signal cannot be listened for.
pub fn hangups() -> std::io::Result<Arc<Notify>> {
    let (told, mut hangup) = (Arc::new(Notify::new()), signal(SignalKind::hangup())?);
    let tell = Arc::clone(&told);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tracing::info!("SIGHUP: looking at the configuration");
            tell.notify_one();
        }
    });
    Ok(told)
}
