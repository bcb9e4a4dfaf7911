//! The one place that turns settings into a running server.
//!
//! Order of start: listen, not serving; load and warm both models; swap them in; serving. Order of stop: not serving; no
//! new connections, and no more requests from open streams; requests in flight finish, within a bound; the models' threads
//! end.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use crate::certificate::noise::NoiseSecret;
use crate::classifier::{ClassifierInfo, LoadError, MixedClassifier, ModelSummary};
use crate::domain::PerRole;
use crate::live::Live;
use crate::rpc::{self, Listeners};
use crate::settings::Settings;
use crate::telemetry::call::{Observer, Observers};
use crate::telemetry::metrics::{Endpoint, Metrics, MetricsError, MetricsListener, ModelDescription, Pages};
use crate::telemetry::models::ModelObserver;
use crate::telemetry::{Reports, Traces, TracesError};

/// Why the server could not run.
#[derive(Debug, Error)]
pub enum AppError {
    /// The models cannot be served.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The services cannot be put together.
    #[error("server reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// Traces cannot be sent.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// Metrics cannot be served.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
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
    /// Where its metrics are.
    pub metrics: Option<SocketAddr>,
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
/// If the models cannot be served, the metrics' port is taken, or the server fails.
pub async fn run(
    settings: Settings,
    listeners: Listeners,
    secret: NoiseSecret,
    ready: impl FnOnce(Ready),
    stop: impl Future<Output = ()>,
) -> Result<(), AppError> {
    let (address, unix_socket) = (listeners.address(), listeners.unix_socket().map(PathBuf::from));
    // Before the models: whoever scrapes sees them load, and a port that is taken is told at once.
    let metrics = Arc::new(Metrics::new()?);
    let listener = settings.metrics.listen.map(MetricsListener::bind).transpose()?;
    let metrics_address = listener.as_ref().map(MetricsListener::address);
    let watched = listener.is_some();
    let live = Arc::new(Live::default());
    let traces = Traces::start(&settings.traces)?;
    let (close, closed) = oneshot::channel::<()>();
    let closed = async { drop(closed.await) };
    let reports: Arc<dyn Observer> = Arc::new(Reports::new(traces.as_ref().map(Traces::tracer)));
    let counted = watched.then(|| Arc::clone(&metrics) as Arc<dyn Observer>);
    let observers = Observers::new(counted.into_iter().chain([reports]));
    let executors: Arc<dyn ModelObserver> = match watched {
        true => Arc::clone(&metrics) as Arc<dyn ModelObserver>,
        false => Arc::new(()),
    };
    let serving = rpc::serve(listeners, Arc::clone(&live), settings.server.clone(), observers, closed).await?;
    let health = serving.health.clone();
    let pages = Arc::new(ServerPages {
        metrics: Arc::clone(&metrics),
        live: Arc::clone(&live),
        health: health.clone(),
    });
    // Until all is over: the last thing that is asked of a server that stops is why it takes so long.
    let _endpoint = listener.map(|listener| Endpoint::start(listener, pages)).transpose()?;
    let server = async { serving.done.await.map_err(|error| AppError::Server(error.to_string())) };
    let drain_timeout = settings.server.drain_timeout;

    let life = async {
        let mut stop = std::pin::pin!(stop);
        let loading = tokio::task::spawn_blocking(move || {
            MixedClassifier::load(&settings, secret, &Handle::current(), &executors)
        });
        let loaded = tokio::select! {
            loaded = loading => loaded.map_err(|error| AppError::Server(error.to_string()))?,
            () = &mut stop => return Ok(()),
        };
        let classifier = loaded?;
        let (info, alpha) = (classifier.info(), classifier.provenance().alpha);
        metrics.set_config(&classifier.provenance().config_revision, alpha);
        metrics.set_models(&described(&info));
        let healthy = classifier.healthy();
        live.swap(classifier);
        health.set_serving(true).await;
        ready(Ready {
            address,
            unix_socket,
            metrics: metrics_address,
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
    send_last(traces).await;
    tracing::info!("stopped");
    Ok(())
}

/// What is answered on the metrics' port.
struct ServerPages {
    metrics: Arc<Metrics>,
    live: Arc<Live>,
    health: rpc::Health,
}

impl Pages for ServerPages {
    fn metrics(&self) -> Result<String, MetricsError> {
        let load = self.live.load().ok().map(|classifier| classifier.load_now());
        self.metrics.text(load, self.serves())
    }

    fn serves(&self) -> bool {
        self.health.is_serving()
    }
}

fn described(info: &ClassifierInfo) -> PerRole<ModelDescription> {
    let describe = |model: &ModelSummary| ModelDescription {
        name: model.name.clone(),
        sha256: model.sha256.clone(),
        provider: model.provider,
        guarantee: model.guarantee,
        max_batch_size: model.max_batch_size,
    };
    PerRole {
        standard: describe(&info.standard),
        robust: describe(&info.robust),
    }
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

/// Sends the spans that wait, off the async threads, because a receiver may keep that waiting for as long as it is allowed to.
async fn send_last(traces: Option<Traces>) {
    if tokio::task::spawn_blocking(move || drop(traces)).await.is_err() {
        tracing::error!("the last spans could not be sent");
    }
}
