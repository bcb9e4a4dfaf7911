//! Serves one connection from its first byte to its last.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
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

use super::connection_table::TableLimits;
use super::counts::ConnectionCounts;
use super::frame_account::{FrameAccount, LimitedFrames, reset_burst};
use super::frame_monitor::{FrameMonitor, FrameState, PeerFault};
use super::handshake_gate::HandshakeGate;
use super::lifetime::{CLOSE_TIMEOUT, ConnectionLifetime, HANDSHAKE_CHECK_INTERVAL, LifetimeAction, LifetimeLimits};
use super::memory_bounds::{CONNECTION_WINDOW, STREAM_WINDOW};
use super::method_descriptors::MethodDescriptors;
use super::monitored_io::MonitoredIo;
use super::open_streams::{AllStreams, ConnectionStreams};
use super::request::RequestHandler;
use super::slots::ConnectionSlot;
use crate::call::{Caller, Principal};
use crate::domain::LogThrottle;
use crate::live::CurrentSnapshot;
use crate::rpc::access::{AccessControl, certificate_principal};
use crate::rpc::common::call_tracker::CallTracker;
use crate::rpc::compression::{ConnectionTurns, UnpackTurns};
use crate::rpc::memory::RequestMemory;
use crate::settings::ConnectionSettings;

/// Serves connections. It holds the state that all connections share.
pub(in crate::rpc) struct ConnectionServer {
    routes: Routes,
    methods: Arc<MethodDescriptors>,
    /// The live settings, which limit the next connection and the next request.
    live: Arc<CurrentSnapshot>,
    calls: CallTracker,
    access: Arc<AccessControl>,
    counts: Arc<ConnectionCounts>,
    memory: Arc<RequestMemory>,
    auxiliary_streams: Arc<AllStreams>,
    unpack_turns: Arc<UnpackTurns>,
    /// True once the server shuts down. Dropping its sender aborts the open connections.
    shutdown: watch::Receiver<bool>,
    next_connection: AtomicU64,
    failed_handshakes: Mutex<LogThrottle>,
    peer_faults: Mutex<LogThrottle>,
    handshakes: HandshakeGate,
    /// The most connections of one listener that the process has file descriptors for.
    connection_capacity: usize,
}

/// The parts of a [`ConnectionServer`] that others make.
pub(in crate::rpc) struct ConnectionServerParts {
    pub(in crate::rpc) routes: Routes,
    pub(in crate::rpc) methods: MethodDescriptors,
    pub(in crate::rpc) live: Arc<CurrentSnapshot>,
    pub(in crate::rpc) calls: CallTracker,
    pub(in crate::rpc) access: Arc<AccessControl>,
    pub(in crate::rpc) counts: Arc<ConnectionCounts>,
    pub(in crate::rpc) memory: Arc<RequestMemory>,
    pub(in crate::rpc) shutdown: watch::Receiver<bool>,
    pub(in crate::rpc) connection_capacity: usize,
}

impl ConnectionServer {
    pub(in crate::rpc) fn new(parts: ConnectionServerParts) -> Self {
        let ConnectionServerParts {
            routes,
            methods,
            live,
            calls,
            access,
            counts,
            memory,
            shutdown,
            connection_capacity,
        } = parts;
        Self {
            routes,
            methods: Arc::new(methods),
            live,
            calls,
            access,
            counts,
            memory,
            auxiliary_streams: Arc::default(),
            unpack_turns: Arc::default(),
            shutdown,
            next_connection: AtomicU64::new(0),
            failed_handshakes: Mutex::default(),
            peer_faults: Mutex::default(),
            handshakes: HandshakeGate::default(),
            connection_capacity,
        }
    }

    pub(super) fn counts(&self) -> &Arc<ConnectionCounts> {
        &self.counts
    }

    /// The limits on the connections of one listener.
    pub(super) fn table_limits(&self) -> TableLimits {
        let settings = &self.live.server().connections;
        TableLimits {
            connections: settings.max_connections.min(self.connection_capacity),
            per_peer: settings.max_connections_per_peer,
        }
    }

    /// The time that the connection of `slot` may take for its handshakes, as things are now.
    fn handshake_timeout(&self, slot: &ConnectionSlot) -> Duration {
        let configured = self.live.server().connections.handshake_timeout;
        slot.handshake_timeout(configured, self.table_limits().connections)
    }

    /// A receiver that has not yet observed a shutdown.
    pub(in crate::rpc) fn shutdown(&self) -> watch::Receiver<bool> {
        self.shutdown.clone()
    }

    /// Serves a TCP connection, with TLS if the credentials in force have it.
    pub(super) async fn serve_tcp(&self, stream: TcpStream, slot: &ConnectionSlot) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "connection setup failed");
            return;
        }
        match self.access.tls_acceptor() {
            None => {
                self.serve_http2(stream, slot, slot.address(), Some(&self.access)).await;
            }
            Some(acceptor) => {
                // Boxed so that a plaintext connection does not carry the state of TLS.
                if let Some(stream) = Box::pin(self.tls_handshake(acceptor, stream, slot)).await {
                    let certified = certificate_principal(stream.get_ref().1);
                    if let Some(principal) = certified {
                        slot.activity().record_established(principal);
                    }
                    let principal = certified.unwrap_or(slot.address());
                    self.serve_http2(stream, slot, principal, Some(&self.access)).await;
                }
            }
        }
    }

    async fn tls_handshake(
        &self,
        acceptor: TlsAcceptor,
        stream: TcpStream,
        slot: &ConnectionSlot,
    ) -> Option<TlsStream<TcpStream>> {
        let peer = stream.peer_addr().ok();
        let mut shutdown = self.shutdown();
        let stopped = async {
            let _ = shutdown.wait_for(|is_stopping| *is_stopping).await;
            tokio::time::sleep(CLOSE_TIMEOUT).await;
        };
        let reason = tokio::select! {
            result = self.handshakes.accept(&acceptor, stream, slot.address()) => match result {
                Ok(stream) => return Some(stream),
                Err(error) => error.to_string(),
            },
            () = self.handshake_overdue(slot) => "it took too long (server.handshake_timeout)".to_owned(),
            () = stopped => return None,
        };
        self.counts.failed_handshakes.fetch_add(1, Relaxed);
        let mut throttle = self.failed_handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = throttle.record(Instant::now()) {
            tracing::warn!(
                peer = peer.map(tracing::field::display),
                reason,
                count,
                "TLS handshake failed (count: since the last such line)"
            );
        }
        None
    }

    /// Completes when the handshakes of a connection have taken too long.
    async fn handshake_overdue(&self, slot: &ConnectionSlot) {
        loop {
            let deadline = slot.activity().accepted_at() + self.handshake_timeout(slot);
            let now = Instant::now();
            if now >= deadline {
                return;
            }
            // The deadline comes closer while slots run out.
            sleep_until(deadline.min(now + HANDSHAKE_CHECK_INTERVAL).into()).await;
        }
    }

    /// Serves HTTP/2 on `io` until one side ends it, or the connection loses its slot. Requests belong
    /// to `principal`. With `access`, every request needs a valid token, and belongs to the principal
    /// of its token.
    pub(super) async fn serve_http2<T>(
        &self,
        io: T,
        slot: &ConnectionSlot,
        principal: Principal,
        access: Option<&Arc<AccessControl>>,
    ) where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let settings = self.live.server();
        let activity = Arc::clone(slot.activity());
        let closing = CancellationToken::new();
        let number = self.next_connection.fetch_add(1, Relaxed);
        let handler = RequestHandler {
            caller: Caller {
                principal,
                connection: number,
            },
            routes: self.routes.clone(),
            methods: Arc::clone(&self.methods),
            counts: Arc::clone(&self.counts),
            activity: Arc::clone(&activity),
            access: access.cloned(),
            closing: closing.clone(),
            calls: self.calls.clone(),
            live: Arc::clone(&self.live),
            memory: Arc::clone(&self.memory),
            auxiliary_streams: ConnectionStreams::new(&self.auxiliary_streams),
            unpack_turns: ConnectionTurns::new(&self.unpack_turns),
        };
        let write_timeout = settings.connections.keepalive_timeout;
        let frames = Arc::new(FrameState::default());
        let account = FrameAccount::new(settings.connections.max_concurrent_streams, activity.accepted_at());
        let monitor = FrameMonitor::new(Arc::clone(&frames), Arc::clone(&self.counts), account);
        let io = TokioIo::new(MonitoredIo::new(io, monitor, Arc::clone(&activity), write_timeout));
        let service = service_fn(move |request| handler.handle(request));
        let mut connection = pin!(http2(&settings.connections).serve_connection(io, service));
        let limits = LifetimeLimits::new(&settings.connections, number);
        let mut lifetime = ConnectionLifetime::new(limits, activity.accepted_at());
        let mut shutdown = self.shutdown();
        let mut timer = pin!(sleep_until(activity.accepted_at().into()));
        let mut evicted = pin!(slot.evicted().fuse());
        loop {
            let in_turn = poll_fn(|context| {
                frames.budget.renew();
                connection.as_mut().poll(context)
            });
            tokio::select! {
                biased;
                ended = in_turn => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "connection failed");
                    }
                    if let Some(fault) = frames.fault() {
                        self.record_peer_fault(fault, principal);
                    }
                    return;
                }
                changed = shutdown.changed() => match changed {
                    Ok(()) => lifetime.begin_shutdown(),
                    Err(_) => return,
                },
                () = evicted.as_mut() => lifetime.begin_eviction(),
                () = timer.as_mut() => {}
            }
            match lifetime.next_action(Instant::now(), activity.snapshot(), self.handshake_timeout(slot)) {
                LifetimeAction::Wait(until) => timer.as_mut().reset(until.into()),
                LifetimeAction::CloseGracefully(reason, until) => {
                    tracing::debug!(%reason, "connection closing");
                    connection.as_mut().graceful_shutdown();
                    // The token comes second. A caller whose stream ends may send its next request
                    // at once, and must then use a new connection.
                    closing.cancel();
                    timer.as_mut().reset(until.into());
                }
                LifetimeAction::Abort(reason) => {
                    tracing::debug!(%reason, "connection aborted");
                    self.counts.aborted.fetch_add(1, Relaxed);
                    return;
                }
            }
        }
    }

    /// Counts and logs a connection that the frames of its peer ended.
    fn record_peer_fault(&self, fault: PeerFault, principal: Principal) {
        let counts = &self.counts;
        let counter = match fault {
            PeerFault::Flood(LimitedFrames::UnbegunResets) => &counts.reset_floods,
            PeerFault::Flood(_) | PeerFault::FloodFoundByHttp2 => &counts.frame_floods,
            PeerFault::Protocol(_) => &counts.protocol_errors,
        };
        counter.fetch_add(1, Relaxed);
        let mut throttle = self.peer_faults.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = throttle.record(Instant::now()) {
            tracing::warn!(
                peer = %principal,
                reason = %fault,
                count,
                "connection ended because of its peer (count: since the last such line)"
            );
        }
    }
}

/// Builds connections with the limits of HTTP/2.
fn http2(limits: &ConnectionSettings) -> http2::Builder<TokioExecutor> {
    let resets = reset_burst(limits.max_concurrent_streams);
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(limits.keepalive_interval))
        .keep_alive_timeout(limits.keepalive_timeout)
        .max_concurrent_streams(limits.max_concurrent_streams)
        // The defaults of h2 end a connection whose caller cancels 21 requests in one write, or whose
        // streams were refused 1024 times in its life. `FrameAccount` limits the rates instead.
        .max_pending_accept_reset_streams(usize::try_from(resets).unwrap_or(usize::MAX))
        .max_local_error_reset_streams(None)
        .max_header_list_size(limits.max_header_bytes)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    http2
}
