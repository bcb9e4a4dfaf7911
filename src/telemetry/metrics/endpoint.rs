//! The metrics port, with a thread and a runtime of its own.
//!
//! It answers while all threads of the gRPC server are busy, which is when operators need it. The
//! encoding of the metrics takes some hundred microseconds and delays no request.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};

use super::error::MetricsError;
use super::routes::Routes;

/// The largest number of open connections; others wait in the accept queue.
const MAX_CONNECTIONS: usize = 64;
/// The time limit of a connection, from accept to close.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit of the request headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(1);
/// The approximate size limit of the request headers, in bytes.
const MAX_HEADER_BYTES: usize = 16 << 10;
/// The size of the text of all metrics, about, in bytes.
const TEXT_BYTES: usize = 96 << 10;
/// The most memory of the connections, in bytes.
pub const ENDPOINT_BYTES: usize = MAX_CONNECTIONS * (2 * MAX_HEADER_BYTES + TEXT_BYTES);
/// The pause after a failed accept.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// A bound port that is not served yet.
#[derive(Debug)]
pub struct MetricsListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsListener {
    /// Binds `address`.
    ///
    /// # Errors
    /// If the address is in use or does not belong to this machine.
    pub fn bind(address: SocketAddr) -> Result<Self, MetricsError> {
        let bind = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bind().map_err(|reason| MetricsError::Listen { address, reason })
    }

    /// The bound address. The system chooses the port if the settings name port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The metrics port. It is served until this is dropped.
#[derive(Debug)]
pub struct Endpoint {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Serves `routes` on `listener`.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(listener: MetricsListener, routes: Arc<Routes>) -> Result<Self, MetricsError> {
        let (stop, stopped) = oneshot::channel::<()>();
        let start = || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new().name("metrics".to_owned());
            thread.spawn(move || serve(&runtime, listener, &routes, stopped))
        };
        Ok(Self {
            thread: Some(start().map_err(MetricsError::Thread)?),
            stop: Some(stop),
        })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if matches!(ended, Some(Err(_))) {
            tracing::error!("the metrics thread panicked");
        }
    }
}

fn serve(runtime: &Runtime, listener: MetricsListener, routes: &Arc<Routes>, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        tokio::select! {
            _ = stopped => {}
            Err(error) = accept(listener.listener, routes) => {
                tracing::error!(%error, "metrics endpoint stopped");
            }
        }
    });
}

async fn accept(listener: TcpListener, routes: &Arc<Routes>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return Ok(());
        };
        match listener.accept().await {
            Ok((connection, _)) => {
                let routes = Arc::clone(routes);
                tokio::spawn(async move {
                    let _slot = slot;
                    // A slow client is cut off and scrapes again.
                    drop(tokio::time::timeout(CONNECTION_TIMEOUT, serve_connection(connection, &routes)).await);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a metrics connection");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

async fn serve_connection(connection: TcpStream, routes: &Arc<Routes>) {
    let service = service_fn(|request| {
        let response = routes.handle(&request);
        async move { response }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        // One request per connection: an idle scraper must not hold a slot.
        .keep_alive(false)
        .serve_connection(TokioIo::new(connection), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a metrics connection ended early");
    }
}
