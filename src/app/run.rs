//! Composes a server from its settings, runs it, and drains it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use super::components::{access_reloader, log_filter_setter, wall_clock};
use super::error::AppError;
use super::memory_bound::memory_bound;
use super::model_lifecycle::{Addresses, ModelLifecycle, ReadyReport};
use super::observability::Observability;
use crate::certificate::noise::NoiseSecret;
use crate::classifier::{DrainDeadline, DrainSignal, LoadChecks, NoiseKeyGenerator};
use crate::live::{ConfigObserver, CurrentSnapshot, EngineLoader, ReloaderContext, Snapshot};
use crate::rpc::{self, AccessControl, Listeners};
use crate::scheduler::ModelObserver;
use crate::settings::{ServerSettings, Settings, SettingsSource, memory_limit};
use crate::telemetry::LogHandle;

/// The inputs of a server.
pub struct ServerInputs {
    /// The settings to serve.
    pub settings: Settings,
    /// The source of the settings, from which a reload reads them again.
    pub source: SettingsSource,
    /// The bound listeners.
    pub listeners: Listeners,
    /// The secret of the noise keys. The command draws it from the operating system; tests fix it.
    pub secret: NoiseSecret,
    /// The logger of the process, if the server may change its filter.
    pub logs: Option<LogHandle>,
    /// Requests a reload, whether the files have changed or not.
    pub reload: Arc<Notify>,
}

/// The part of the drain timeout after which certifications end with the votes that they have.
const DRAIN_DEADLINE_SHARE: f64 = 0.7;

/// The time limit for the last batches of the models.
const LAST_BATCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves until `stop`, and returns after the drain. `ready` is called once.
///
/// # Errors
/// If the models cannot be loaded, the metrics port is in use, or the server fails.
pub async fn run(
    start: ServerInputs,
    ready: impl FnOnce(ReadyReport),
    stop: impl Future<Output = ()>,
) -> Result<(), AppError> {
    let settings = &start.settings;
    // The metrics port comes first: a scrape can watch the models load.
    let mut observability = Observability::start(settings, start.logs.clone())?;
    let addresses = Addresses::new(&start.listeners, observability.metrics_address);
    let access = Arc::new(AccessControl::new(&settings.access, wall_clock())?);
    let live = Arc::new(CurrentSnapshot::new(settings));
    log_memory_limits(&settings.server);
    let (close, closed) = oneshot::channel::<()>();
    let serving = rpc::serve(
        start.listeners,
        Arc::clone(&live),
        &settings.open_inference,
        Arc::clone(&access),
        observability.call_observers(),
        Box::pin(async { drop(closed.await) }),
    )
    .await?;
    // The endpoint outlives the drain, so an operator can see why a shutdown takes long.
    let _endpoint = observability.serve_metrics(&live, &access, &serving)?;
    let mut server = Box::pin(async { serving.done.await.map_err(|error| AppError::Server(error.to_string())) });
    let (drain_signal, drain_deadline) = DrainSignal::new();
    let loader = loader(start.secret, drain_deadline, observability.model_observer());
    let lifecycle = ModelLifecycle {
        context: ReloaderContext {
            live: Arc::clone(&live),
            loader,
            access: access_reloader(access),
            set_log_filter: log_filter_setter(start.logs),
            observer: Arc::clone(&observability.metrics) as Arc<dyn ConfigObserver>,
        },
        settings: start.settings,
        source: start.source,
        health: serving.health,
        opener: serving.opener,
        addresses,
        reload: start.reload,
    };
    tokio::select! {
        ended = &mut server => {
            ended?;
            return Err(AppError::Server("the listeners were closed".to_owned()));
        }
        stopped = lifecycle.run(ready, stop) => stopped?,
    }
    let drain_timeout = live.server().drain_timeout;
    drain_signal.set(Instant::now() + drain_timeout.mul_f64(DRAIN_DEADLINE_SHARE));
    // `server` holds the receiver and has not ended.
    let _ = close.send(());
    drain(server, drain_timeout).await?;
    end_models(live.take()).await;
    observability.flush().await;
    tracing::info!("stopped");
    Ok(())
}

/// Logs what callers can make this server hold.
fn log_memory_limits(server: &ServerSettings) {
    let worst_case_bytes: usize = memory_bound(server).iter().map(|part| part.bytes).sum();
    tracing::info!(
        request_memory_bytes = server.request_memory_bytes,
        worst_case_bytes,
        memory_limit_bytes = memory_limit(),
        "limits of the memory of requests, and of everything that callers can make the server hold beside its models"
    );
}

/// The loader of engines, which wake their callers on this runtime.
fn loader(secret: NoiseSecret, drain_deadline: DrainDeadline, observer: Arc<dyn ModelObserver>) -> EngineLoader {
    EngineLoader {
        keys: Arc::new(NoiseKeyGenerator::new(secret)),
        drain_deadline,
        callers: Handle::current(),
        observer,
        checks: LoadChecks::UntilRefused,
        digests: Arc::default(),
    }
}

/// Waits until the server has answered the requests in flight, or cuts them off after `timeout`. The
/// calls that are cut off are recorded before the observers are flushed.
async fn drain(server: impl Future<Output = Result<(), AppError>>, timeout: Duration) -> Result<(), AppError> {
    tokio::time::timeout(timeout, server).await.unwrap_or_else(|_| {
        tracing::warn!(?timeout, "drain timeout: open requests and connections are cut off");
        Ok(())
    })
}

/// Ends the model threads within a time limit. Their join blocks, so it runs on a blocking thread.
async fn end_models(snapshot: Option<Arc<Snapshot>>) {
    let ended = tokio::task::spawn_blocking(move || drop(snapshot));
    match tokio::time::timeout(LAST_BATCH_TIMEOUT, ended).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "cannot end the model threads"),
        Err(_) => tracing::error!("a model is still running its last batch; its thread is abandoned"),
    }
}
