//! The life of a server.
//!
//! Order of start: listen, not serving; load and warm both models; swap them in; serving, and follow the configuration. Order
//! of stop: not serving, for as long as it takes others to hear of it; no new connections, and no more requests from open
//! streams; requests in flight finish, within a bound; the models' threads end.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};

use super::watched::{ConfigMetrics, ServerPages};
use crate::certificate::noise::NoiseSecret;
use crate::classifier::{ClassifierInfo, CurfewBell, LoadError, NoiseKeys};
use crate::live::{Contents, Live, Loader, PrepareParts, Reloader, Snapshot, Surroundings};
use crate::rpc::{self, AccessControl, CredentialsError, Listeners};
use crate::settings::{Settings, Source};
use crate::telemetry::call::{Observer, Observers};
use crate::telemetry::metrics::{Endpoint, Metrics, MetricsError, MetricsListener};
use crate::telemetry::models::ModelObserver;
use crate::telemetry::{LogHandle, Reports, Traces, TracesError};

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
    /// Metrics cannot be served.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// Traces cannot be sent.
    #[error(transparent)]
    Traces(#[from] TracesError),
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

/// What a server is started with.
pub struct Start {
    /// What it serves.
    pub settings: Settings,
    /// Where they were read from, and are read again from when they change.
    pub source: Source,
    /// Where.
    pub listeners: Listeners,
    /// Keys the noise: the caller draws it from the operating system, tests fix it.
    pub secret: NoiseSecret,
    /// The process's logger, if its filter is the server's to change.
    pub logs: Option<LogHandle>,
    /// Asks for a look at the configuration, whether its files seem to have changed or not.
    pub reload: Arc<Notify>,
}

/// Of the time for a drain, the part after which certifications are answered with the votes that they have.
const CURFEW: f64 = 0.7;

/// How long the batches that run at the end may take.
const LAST_BATCHES: Duration = Duration::from_secs(5);

/// Serves until `stop` comes, and returns when all is over. `ready` is called once.
///
/// # Errors
/// If the models cannot be served, the metrics' port is taken, or the server fails.
pub async fn run(start: Start, ready: impl FnOnce(Ready), stop: impl Future<Output = ()>) -> Result<(), AppError> {
    let Start {
        settings,
        source,
        listeners,
        secret,
        logs,
        reload,
    } = start;
    let (address, unix_socket) = (listeners.address(), listeners.unix_socket().map(PathBuf::from));
    // Before the models: whoever scrapes sees them load, and a port that is taken is told at once.
    let metrics = Arc::new(Metrics::new()?);
    let listener = settings.metrics.listen.map(MetricsListener::bind).transpose()?;
    let metrics_address = listener.as_ref().map(MetricsListener::address);
    let watched = listener.is_some();
    // Before they are read: what changes in between is found by the first look.
    let seen = Contents::of(&settings);
    let access = Arc::new(AccessControl::new(&settings.access, wall_clock())?);
    let live = Arc::new(Live::new(&settings));
    let (close, closed) = oneshot::channel::<()>();
    let closed = Box::pin(async { drop(closed.await) });
    let traces = Traces::start(&settings.traces)?;
    let reports: Arc<dyn Observer> = Arc::new(Reports::new(traces.as_ref().map(Traces::tracer)));
    let counted = watched.then(|| Arc::clone(&metrics) as Arc<dyn Observer>);
    let observers = Observers::new([reports].into_iter().chain(counted));
    let executors: Arc<dyn ModelObserver> = match watched {
        true => Arc::clone(&metrics) as Arc<dyn ModelObserver>,
        false => Arc::new(()),
    };
    let serving = rpc::serve(
        listeners,
        Arc::clone(&live),
        &settings.open_inference,
        Arc::clone(&access),
        observers,
        closed,
    )
    .await?;
    let health = serving.health.clone();
    let pages = Arc::new(ServerPages {
        metrics: Arc::clone(&metrics),
        live: Arc::clone(&live),
        health: health.clone(),
        connections: Arc::clone(&serving.connections),
        access: Arc::clone(&access),
        tracer: traces.as_ref().map(Traces::tracer),
        logs: logs.clone(),
    });
    // Until all is over: the last thing that is asked of a server that stops is why it takes so long.
    let _endpoint = listener.map(|listener| Endpoint::start(listener, pages)).transpose()?;
    let server = async { serving.done.await.map_err(|error| AppError::Server(error.to_string())) };
    let (curfew_bell, curfew) = CurfewBell::new();
    let loader = Loader {
        keys: Arc::new(NoiseKeys::new(secret)),
        curfew,
        callers: Handle::current(),
        observer: executors,
    };

    let life = async {
        let mut stop = std::pin::pin!(stop);
        let first = (loader.clone(), settings.clone());
        let loading = tokio::task::spawn_blocking(move || first.0.load(&first.1));
        let loaded = tokio::select! {
            loaded = loading => loaded.map_err(|error| AppError::Server(error.to_string()))?,
            () = &mut stop => return Ok(()),
        };
        let alpha = settings.mixture.alpha.get();
        let parts = parts(logs, access);
        let surroundings = Surroundings {
            live: Arc::clone(&live),
            loader,
            parts,
            observer: Box::new(ConfigMetrics(metrics)),
        };
        let reloader = Reloader::start(settings, source, seen, loaded?, surroundings).map_err(LoadError::Settings)?;
        if let Ok(snapshot) = live.load() {
            health.set_serving(true).await;
            ready(Ready {
                address,
                unix_socket,
                metrics: metrics_address,
                info: snapshot.classifier.info(),
                alpha,
            });
        }
        let engines = reloader.health();
        tokio::select! {
            () = stop => {}
            () = follow(engines, &health) => {}
            () = reloader.run(reload) => {}
        }
        // Who routes requests here hears of it first, and has time to route them elsewhere.
        health.set_serving(false).await;
        tokio::time::sleep(live.server().drain_delay).await;
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
    let drain_timeout = live.server().drain_timeout;
    curfew_bell.set(Instant::now() + drain_timeout.mul_f64(CURFEW));
    // The receiver lives in `server`, which has not ended.
    let _ = close.send(());
    match tokio::time::timeout(drain_timeout, server).await {
        Ok(ended) => ended?,
        Err(_) => tracing::warn!(
            ?drain_timeout,
            "requests or connections were still open; they are cut off"
        ),
    }
    if tokio::time::timeout(LAST_BATCHES, end(live.take())).await.is_err() {
        tracing::error!("a model does not come back from its last batch; it is left behind");
    }
    send_last(traces).await;
    tracing::info!("stopped");
    Ok(())
}

/// What certificates are held against, and nothing else.
#[expect(clippy::disallowed_methods, reason = "the one place that makes it an argument")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// Returns the function that prepares the credentials and the log filter of changed settings.
fn parts(logs: Option<LogHandle>, access: Arc<AccessControl>) -> PrepareParts {
    Arc::new(move |settings: &Settings| {
        let credentials = access
            .prepare_reload(&settings.access, wall_clock())
            .map_err(CredentialsError::into_violations)?;
        let (logs, filter) = (logs.clone(), settings.log.filter.clone());
        Ok(Box::new(move || {
            credentials.commit();
            if let Some(Err(error)) = logs.map(|logs| logs.set_filter(&filter)) {
                tracing::error!(%error, "the filter of the log stays as it was");
            }
        }))
    })
}

/// Tells health checks whether both models work, those that are live.
async fn follow(mut engines: watch::Receiver<watch::Receiver<bool>>, health: &rpc::HealthReporter) {
    let mut healthy = engines.borrow_and_update().clone();
    loop {
        tokio::select! {
            changed = engines.changed() => match changed {
                Ok(()) => healthy = engines.borrow_and_update().clone(),
                Err(_) => std::future::pending().await,
            },
            changed = healthy.changed() => {
                // The models ended, which they do after those that take their place have come.
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

/// Ends the models' threads, off the async threads, because that waits for the batches that run.
async fn end(snapshot: Option<Arc<Snapshot>>) {
    if tokio::task::spawn_blocking(move || drop(snapshot)).await.is_err() {
        tracing::error!("the models' threads could not be ended");
    }
}

/// Sends the spans that wait, off the async threads, because a receiver may keep that waiting for as long as it is allowed to.
async fn send_last(traces: Option<Traces>) {
    if tokio::task::spawn_blocking(move || drop(traces)).await.is_err() {
        tracing::error!("the last spans could not be sent");
    }
}
