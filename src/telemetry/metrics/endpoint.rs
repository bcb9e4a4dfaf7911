//! The metrics port, with a thread and a runtime of its own.
//!
//! It answers while all threads of the gRPC server are busy, which is when operators need it. A
//! kubelet ends a server whose probes are late, so no peer can hold what a probe needs: a new
//! connection takes the slot of a slow one, the thread only ever does work of some microseconds, and
//! spare file descriptors admit a probe while the process has none left.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::endpoint_page::MetricsPage;
use super::endpoint_slots::{EndpointSlots, MAX_CONNECTIONS};
use super::error::MetricsError;
use super::routes::{Answer, Routes, metrics_response};

/// The most connections that wait to be accepted. A full queue would delay a probe by a second, after
/// which its TCP connects again.
const BACKLOG: u32 = 1024;
/// The time limit of a connection, from accept to close.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// The time limit of the request headers.
const HEADER_TIMEOUT: Duration = Duration::from_millis(500);
/// The approximate size limit of the request headers, in bytes.
const MAX_HEADER_BYTES: usize = 16 << 10;
/// The size of the text of all metrics, about, in bytes.
const TEXT_BYTES: usize = 96 << 10;
/// The most memory of the connections, in bytes.
pub const ENDPOINT_BYTES: usize = MAX_CONNECTIONS * (2 * MAX_HEADER_BYTES + TEXT_BYTES);
/// The pause after a failed accept.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);
/// The most connections that are accepted before the open ones have their turn.
const MAX_ACCEPTS_PER_TURN: u32 = 16;
/// The time that an encoding of the metrics may take when the server ends.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);
/// The nice value of the thread, where the process may lower it. A probe is worth a few microseconds
/// of any other work.
const NICE: i32 = -10;

/// A bound port that is not served yet.
#[derive(Debug)]
pub struct MetricsListener {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl MetricsListener {
    /// Binds `address`. This must run on a tokio runtime.
    ///
    /// # Errors
    /// If the address is in use or does not belong to this machine.
    pub fn bind(address: SocketAddr) -> Result<Self, MetricsError> {
        let bind = || {
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4(),
                SocketAddr::V6(_) => TcpSocket::new_v6(),
            }?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let listener = socket.listen(BACKLOG)?.into_std()?;
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
        let (started, report) = mpsc::channel();
        let thread = std::thread::Builder::new().name("metrics".to_owned());
        let thread = thread.spawn(move || run(listener, &routes, stopped, &started));
        let thread = thread.map_err(MetricsError::Thread)?;
        // A thread that panics reports nothing.
        let no_report = |_| Err(io::Error::other("the operating system starts no further thread"));
        report.recv().unwrap_or_else(no_report).map_err(MetricsError::Thread)?;
        Ok(Self {
            thread: Some(thread),
            stop: Some(stop),
        })
    }
}

/// Serves `routes` until `stopped`. Reports to `started` whether it can.
///
/// The runtime is created and dropped here: the threads of other runtimes may not drop it.
fn run(
    listener: MetricsListener,
    routes: &Arc<Routes>,
    stopped: oneshot::Receiver<()>,
    started: &mpsc::Sender<io::Result<()>>,
) {
    raise_thread_priority();
    let build = || {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_name("metrics-page")
            .max_blocking_threads(1)
            .thread_keep_alive(Duration::MAX)
            .build()?;
        // The thread that encodes the metrics lasts, so a scrape needs no new one.
        runtime.block_on(async { tokio::task::spawn_blocking(|| ()).await })?;
        let listener = runtime.block_on(async { TcpListener::from_std(listener.listener) })?;
        Ok((runtime, listener))
    };
    let (runtime, listener) = match build() {
        Ok(built) => built,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    let _ = started.send(Ok(()));
    runtime.block_on(async {
        tokio::select! {
            _ = stopped => {}
            never = serve(listener, routes) => match never {},
        }
    });
    runtime.shutdown_timeout(STOP_TIMEOUT);
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

#[cfg(target_os = "linux")]
fn raise_thread_priority() {
    // `None` is the calling thread. Most processes may not do this.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "the metrics thread keeps its priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn raise_thread_priority() {}

async fn serve(listener: TcpListener, routes: &Arc<Routes>) -> Infallible {
    let mut slots = EndpointSlots::new();
    let page = Arc::new(MetricsPage::new(Arc::clone(routes), slots.evictions()));
    let mut accepted_in_turn = 0;
    loop {
        if accepted_in_turn >= MAX_ACCEPTS_PER_TURN {
            accepted_in_turn = 0;
            tokio::task::yield_now().await;
        }
        let accepted = tokio::select! {
            biased;
            () = slots.ended() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((connection, peer)) => {
                accepted_in_turn += 1;
                let page = Arc::clone(&page);
                slots.spawn(peer.ip(), Instant::now(), |progress| async move {
                    let served = serve_connection(connection, &page, || progress.record_request());
                    // A slow client is cut off and scrapes again.
                    drop(tokio::time::timeout(CONNECTION_TIMEOUT, served).await);
                });
            }
            // A freed file descriptor admits the connection that waits.
            Err(error) if lacks_file_descriptors(&error) && slots.free_file(Instant::now()) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a metrics connection");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

/// Whether the process or the machine has no file descriptor left.
fn lacks_file_descriptors(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

async fn serve_connection(connection: TcpStream, page: &Arc<MetricsPage>, request_arrived: impl Fn()) {
    let service = service_fn(|request| {
        request_arrived();
        let answer = page.routes().handle(&request);
        async move {
            Ok::<_, Infallible>(match answer {
                Answer::Ready(response) => response,
                Answer::Metrics => metrics_response(page.encoded_after(Instant::now()).await),
            })
        }
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
