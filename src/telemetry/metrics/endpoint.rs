//! The port of the metrics, with a thread and a runtime of its own.
//!
//! So it answers when the threads of the wire are all busy, which is when somebody wants to know; and writing a page of metrics, some
//! hundred microseconds, holds up no request.

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

use super::MetricsError;
use super::pages::{Pages, answer};

/// Connections at a time; the others wait to be accepted.
const CONNECTIONS: usize = 64;
/// How long a connection may take, from its first byte to its last.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long its headers may take,
const HEADERS_WITHIN: Duration = Duration::from_secs(1);
/// and their bytes, about.
const MOST_HEADER_BYTES: usize = 16 << 10;
/// After a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A port that is taken, and not answered yet.
#[derive(Debug)]
pub struct MetricsListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsListener {
    /// Listens on `address`.
    ///
    /// # Errors
    /// If it is taken, or none of ours.
    pub fn bind(address: SocketAddr) -> Result<Self, MetricsError> {
        let bind = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bind().map_err(|reason| MetricsError::Listen { address, reason })
    }

    /// Where it listens; its port is the system's choice if the settings say 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The port, answered until this is dropped.
#[derive(Debug)]
pub struct Endpoint {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Answers on `listener` with `pages`.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(listener: MetricsListener, pages: Arc<dyn Pages>) -> Result<Self, MetricsError> {
        let (stop, stopped) = oneshot::channel::<()>();
        let start = || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new().name("metrics".to_owned());
            thread.spawn(move || serve(&runtime, listener, &pages, stopped))
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
            tracing::error!("the metrics' thread ended by a panic");
        }
    }
}

fn serve(runtime: &Runtime, listener: MetricsListener, pages: &Arc<dyn Pages>, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        tokio::select! {
            _ = stopped => {}
            Err(error) = accept(listener.listener, pages) => {
                tracing::error!(%error, "metrics are not served any more");
            }
        }
    });
}

async fn accept(listener: TcpListener, pages: &Arc<dyn Pages>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return Ok(());
        };
        match listener.accept().await {
            Ok((connection, _)) => {
                let pages = Arc::clone(pages);
                tokio::spawn(async move {
                    let _place = place;
                    // Whoever takes longer is cut off; whoever is cut off asks again.
                    drop(tokio::time::timeout(PATIENCE, converse(connection, &pages)).await);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection for metrics could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(connection: TcpStream, pages: &Arc<dyn Pages>) {
    let answers = service_fn(|request| {
        let answered = answer(pages, &request);
        async move { answered }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(MOST_HEADER_BYTES)
        // One question a connection: a place is nobody's to keep.
        .keep_alive(false)
        .serve_connection(TokioIo::new(connection), answers)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection for metrics ended early");
    }
}
