//! The life of the models in a server that already listens: load, serve, follow the configuration,
//! stop.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Notify;

use super::error::AppError;
use super::health::follow_engines;
use crate::classifier::{ClassifierInfo, Engine, LoadError};
use crate::live::{ConfigDigests, Reloader, ReloaderContext};
use crate::rpc::{self, Listeners};
use crate::settings::{Settings, SettingsSource};

/// The report of a server that is ready to serve.
#[derive(Debug, Clone)]
pub struct ReadyReport {
    /// The address of the TCP listener.
    pub address: SocketAddr,
    /// The path of the Unix socket, if there is one.
    pub unix_socket: Option<PathBuf>,
    /// The address of the metrics port, if there is one.
    pub metrics: Option<SocketAddr>,
    /// The models.
    pub info: ClassifierInfo,
    /// The weight of the robust model.
    pub alpha: f64,
}

/// The addresses of a server.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    pub(super) tcp: SocketAddr,
    pub(super) unix_socket: Option<PathBuf>,
    pub(super) metrics: Option<SocketAddr>,
}

impl Addresses {
    /// The addresses of bound `listeners` and of the metrics port.
    pub(super) fn new(listeners: &Listeners, metrics: Option<SocketAddr>) -> Self {
        Self {
            tcp: listeners.address(),
            unix_socket: listeners.unix_socket().map(PathBuf::from),
            metrics,
        }
    }
}

/// Everything that the models of a server need while they serve.
pub(super) struct ModelLifecycle {
    pub(super) settings: Settings,
    pub(super) source: SettingsSource,
    pub(super) context: ReloaderContext,
    pub(super) health: rpc::HealthReporter,
    /// Opens the TCP port once the models are loaded, if it was not open before.
    pub(super) opener: rpc::TcpOpener,
    pub(super) addresses: Addresses,
    /// Requests a reload.
    pub(super) reload: Arc<Notify>,
}

impl ModelLifecycle {
    /// Loads the models, calls `ready`, serves until `stop`, and then waits for the drain delay while
    /// the health service reports `NOT_SERVING`.
    pub(super) async fn run(
        self,
        ready: impl FnOnce(ReadyReport),
        stop: impl Future<Output = ()>,
    ) -> Result<(), AppError> {
        let mut stop = std::pin::pin!(stop);
        let (digests, engine) = match self.load_until(stop.as_mut()).await {
            Some(loaded) => loaded?,
            None => return Ok(()),
        };
        let live = Arc::clone(&self.context.live);
        let alpha = self.settings.mixture.weights.alpha().get();
        let reloader =
            Reloader::start(self.settings, self.source, digests, engine, self.context).map_err(LoadError::Invalid)?;
        self.opener.open()?;
        if let Ok(snapshot) = live.load() {
            self.health.set_serving(true).await;
            ready(ReadyReport {
                address: self.addresses.tcp,
                unix_socket: self.addresses.unix_socket,
                metrics: self.addresses.metrics,
                info: snapshot.classifier.info(),
                alpha,
            });
        }
        let engines = reloader.health();
        tokio::select! {
            () = stop => {}
            () = follow_engines(engines, &self.health) => {}
            () = reloader.run(self.reload) => {}
        }
        // Load balancers see this first and have the drain delay to route requests elsewhere.
        self.health.set_serving(false).await;
        tokio::time::sleep(live.server().drain_delay).await;
        Ok(())
    }

    /// Loads the models on a blocking thread; `None` if `stop` comes first. The digests are those of
    /// the files before the load: the first detection finds a change in between.
    async fn load_until(
        &self,
        stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Option<Result<(ConfigDigests, Arc<Engine>), AppError>> {
        let (loader, settings) = (self.context.loader.clone(), self.settings.clone());
        let loading = tokio::task::spawn_blocking(move || {
            let digests = ConfigDigests::of(&settings, &loader.digests);
            loader.load(&settings).map(|engine| (digests, engine))
        });
        tokio::select! {
            loaded = loading => Some(match loaded {
                Ok(loaded) => loaded.map_err(AppError::from),
                Err(panicked) => Err(AppError::Server(panicked.to_string())),
            }),
            () = stop => None,
        }
    }
}
