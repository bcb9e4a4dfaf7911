//! Reports the health of the models to the health service.

use tokio::sync::watch;

use crate::rpc;

/// Sets the health service to the health of the engine that serves, and then of each engine that
/// replaces it. Never returns.
pub(super) async fn follow_engines(mut engines: watch::Receiver<watch::Receiver<bool>>, health: &rpc::HealthReporter) {
    let mut healthy = engines.borrow_and_update().clone();
    loop {
        tokio::select! {
            changed = engines.changed() => match changed {
                Ok(()) => healthy = engines.borrow_and_update().clone(),
                Err(_) => std::future::pending().await,
            },
            changed = healthy.changed() => {
                // An error means that the engine has ended. Its successor is live by then.
                if changed.is_err() {
                    healthy = match engines.changed().await {
                        Ok(()) => engines.borrow_and_update().clone(),
                        Err(_) => std::future::pending().await,
                    };
                }
            }
        }
        let serving = *healthy.borrow_and_update();
        if serving {
            tracing::info!("both models work: serving");
        } else {
            tracing::error!("a model keeps failing: not serving until it works again");
        }
        health.set_serving(serving).await;
    }
}
