//! One connection from its first byte to its last.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep_until;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use super::activity::Activity;
use super::counts::ConnectionCounts;
use super::lifetime::{LINGER, Lifetime, Limits, Verdict};
use super::log_throttle::Pace;
use super::methods::Methods;
use super::monitored_io::WatchedIo;
use super::request::Entry;
use crate::live::Live;
use crate::rpc::access::AccessControl;
use crate::rpc::common::call_tracker::Calls;
use crate::settings::ConnectionSettings;

/// Bytes that one stream may have sent and nobody read,
const STREAM_WINDOW: u32 = 256 << 10;
/// and all streams of one connection.
///
/// h2 ends a connection on which half of its window is taken by frames of a few bytes that nobody has read. With these windows
/// a stream of small requests that waits for its turn is held back by its own window long before.
const CONNECTION_WINDOW: u32 = 32 << 20;

/// What all connections have in common.
pub(in crate::rpc) struct Server {
    routes: Routes,
    methods: Arc<Methods>,
    /// The limits of the next connection and the next request.
    live: Arc<Live>,
    calls: Calls,
    access: Arc<AccessControl>,
    counts: Arc<ConnectionCounts>,
    /// True once the server stops. Its sender is dropped when what is still open is to be cut.
    stopping: watch::Receiver<bool>,
    number: AtomicU64,
    failed_handshakes: Mutex<Pace>,
}

impl Server {
    pub(in crate::rpc) fn new(
        routes: Routes,
        methods: Methods,
        live: Arc<Live>,
        calls: Calls,
        access: Arc<AccessControl>,
        counts: Arc<ConnectionCounts>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            routes,
            methods: Arc::new(methods),
            live,
            calls,
            access,
            counts,
            stopping,
            number: AtomicU64::new(0),
            failed_handshakes: Mutex::default(),
        }
    }

    pub(super) fn counts(&self) -> &ConnectionCounts {
        &self.counts
    }

    pub(super) fn max_connections(&self) -> usize {
        self.live.server().connections.max_connections
    }

    /// A receiver that has not seen yet whether the server stops.
    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.clone()
    }

    /// Serves a connection by TCP, with TLS if the access has it.
    pub(super) async fn serve_tcp(&self, stream: TcpStream) {
        let born = Instant::now();
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection ended at once");
            return;
        }
        match self.access.tls_acceptor() {
            None => self.serve(stream, born, Some(&self.access)).await,
            Some(acceptor) => {
                // Boxed: the state of TLS would be carried by every connection in plaintext.
                if let Some(stream) = Box::pin(self.shake_hands(acceptor, stream)).await {
                    self.serve(stream, born, Some(&self.access)).await;
                }
            }
        }
    }

    async fn shake_hands(&self, acceptor: TlsAcceptor, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let peer = stream.peer_addr().ok();
        let mut stopping = self.stopping();
        let stopped = async {
            let _ = stopping.wait_for(|stopping| *stopping).await;
            tokio::time::sleep(LINGER).await;
        };
        let agreed = tokio::time::timeout(
            self.live.server().connections.handshake_timeout,
            acceptor.accept(stream),
        );
        let reason = tokio::select! {
            agreed = agreed => match agreed {
                Ok(Ok(stream)) => return Some(stream),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it took longer than server.handshake_timeout".to_owned(),
            },
            () = stopped => return None,
        };
        self.counts.failed_handshakes.fetch_add(1, Relaxed);
        let mut pace = self.failed_handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = pace.happened(Instant::now()) {
            tracing::warn!(
                ?peer,
                reason,
                count,
                "TLS was not agreed on (count: since the last such line)"
            );
        }
        None
    }

    /// Serves HTTP/2 on `io` until one side ends it. With a `access`, requests show their tokens.
    pub(super) async fn serve<T>(&self, io: T, born: Instant, access: Option<&Arc<AccessControl>>)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let settings = self.live.server();
        let activity = Arc::new(Activity::default());
        let closing = CancellationToken::new();
        let entry = Entry {
            routes: self.routes.clone(),
            methods: Arc::clone(&self.methods),
            counts: Arc::clone(&self.counts),
            activity: Arc::clone(&activity),
            access: access.cloned(),
            closing: closing.clone(),
            calls: self.calls.clone(),
            live: Arc::clone(&self.live),
        };
        let patience = settings.connections.keepalive_timeout;
        let io = TokioIo::new(WatchedIo::new(io, Arc::clone(&activity), patience));
        let service = service_fn(move |request| entry.answer(request));
        let mut connection = pin!(http2(&settings.connections).serve_connection(io, service));
        let limits = Limits::of(&settings.connections, self.number.fetch_add(1, Relaxed));
        let mut lifetime = Lifetime::new(limits, born);
        let mut stopping = self.stopping();
        let mut timer = pin!(sleep_until(born.into()));
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection failed");
                    }
                    return;
                }
                changed = stopping.changed() => match changed {
                    Ok(()) => lifetime.stop(),
                    Err(_) => return,
                },
                () = timer.as_mut() => {}
            }
            match lifetime.look(Instant::now(), activity.seen()) {
                Verdict::Wait(until) => timer.as_mut().reset(until.into()),
                Verdict::Close(why, until) => {
                    tracing::debug!(?why, "a connection is asked to end");
                    connection.as_mut().graceful_shutdown();
                    // After the first: whoever is told here may come again at once, and then by a new connection.
                    closing.cancel();
                    timer.as_mut().reset(until.into());
                }
                Verdict::Cut(why) => {
                    tracing::debug!(?why, "a connection is cut");
                    self.counts.cut.fetch_add(1, Relaxed);
                    return;
                }
            }
        }
    }
}

fn http2(limits: &ConnectionSettings) -> http2::Builder<TokioExecutor> {
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(limits.keepalive_interval))
        .keep_alive_timeout(limits.keepalive_timeout)
        .max_concurrent_streams(limits.max_concurrent_streams)
        .max_header_list_size(limits.max_header_bytes)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    http2
}
