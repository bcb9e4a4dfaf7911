//! The one place that turns settings into a running server.
//!
//! Order of start: listen, not serving; load and warm both models; swap them in; serving. Order of stop: not serving; no
//! new connections, and no more requests from open streams; requests in flight finish, within a bound; the models' threads
//! end.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use crate::certificate::noise::NoiseSecret;
use crate::classifier::{ClassifierInfo, LoadError, MixedClassifier};
use crate::live::Live;
use crate::rpc::{self, Credentials, CredentialsError, Gate, Listeners};
use crate::settings::Settings;

/// Why the server could not run.
#[derive(Debug, Error)]
pub enum AppError {
    /// The models cannot be served.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Certificates or tokens cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The services cannot be put together.
    #[error("server reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The server ended by itself.
    #[error("the server ended: {0}")]
    Server(String),
}

/// What is said once the server is ready.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it listens besides.
    pub unix_socket: Option<PathBuf>,
    /// What it serves.
    pub info: ClassifierInfo,
    /// The weight of the robust model.
    pub alpha: f64,
}

/// Serves `settings` on `listeners` until `stop` comes, and returns when all is over. `ready` is called once.
///
/// `secret` keys the noise: the caller draws it from the operating system, tests fix it.
///
/// # Errors
/// If the models cannot be served, or the server fails.
pub async fn run(
    settings: Settings,
    listeners: Listeners,
    secret: NoiseSecret,
    ready: impl FnOnce(Ready),
    stop: impl Future<Output = ()>,
) -> Result<(), AppError> {
    let (address, unix_socket) = (listeners.address(), listeners.unix_socket().map(PathBuf::from));
    let gate = Arc::new(Gate::new(Credentials::prepare(&settings.access, wall_clock())?));
    let live = Arc::new(Live::default());
    let (close, closed) = oneshot::channel::<()>();
    let closed = async { drop(closed.await) };
    let serving = rpc::serve(listeners, Arc::clone(&live), settings.server.clone(), gate, closed).await?;
    let health = serving.health.clone();
    let server = async { serving.done.await.map_err(|error| AppError::Server(error.to_string())) };
    let drain_timeout = settings.server.drain_timeout;

    let life = async {
        let mut stop = std::pin::pin!(stop);
        let loading = tokio::task::spawn_blocking(move || MixedClassifier::load(&settings, secret, &Handle::current()));
        let loaded = tokio::select! {
            loaded = loading => loaded.map_err(|error| AppError::Server(error.to_string()))?,
            () = &mut stop => return Ok(()),
        };
        let classifier = loaded?;
        let (info, alpha) = (classifier.info(), classifier.provenance().alpha);
        let healthy = classifier.healthy();
        live.swap(classifier);
        health.set_serving(true).await;
        ready(Ready {
            address,
            unix_socket,
            info,
            alpha,
        });
        tokio::select! {
            () = stop => {}
            () = follow(healthy, &health) => {}
        }
        health.set_serving(false).await;
        Ok::<_, AppError>(())
    };
    let mut server = std::pin::pin!(server);
    tokio::select! {
        ended = &mut server => {
            ended?;
            return Err(AppError::Server("the listeners were closed".to_owned()));
        }
        lived = life => lived?,
    }
    // The receiver lives in `server`, which has not ended.
    let _ = close.send(());
    match tokio::time::timeout(drain_timeout, server).await {
        Ok(ended) => ended?,
        Err(_) => tracing::warn!(
            ?drain_timeout,
            "requests or connections were still open; they are cut off"
        ),
    }
    end(live.take()).await;
    tracing::info!("stopped");
    Ok(())
}

/// What certificates are held against, and nothing else.
#[allow(clippy::disallowed_methods, reason = "the one place that makes it an argument")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// Tells health checks whether both models work, for as long as the scheduler lives.
async fn follow(mut healthy: watch::Receiver<bool>, health: &rpc::Health) {
    while healthy.changed().await.is_ok() {
        let serving = *healthy.borrow_and_update();
        if serving {
            tracing::info!("both models work again: serving");
        } else {
            tracing::error!("a model keeps failing: not serving until it works again");
        }
        health.set_serving(serving).await;
    }
    std::future::pending().await
}

/// Ends the models' threads, off the async threads, because that waits for the batches that run.
async fn end(classifier: Option<Arc<MixedClassifier>>) {
    if tokio::task::spawn_blocking(move || drop(classifier)).await.is_err() {
        tracing::error!("the models' threads could not be ended");
    }
}
