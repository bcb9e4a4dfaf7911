//! Serves connections from all listeners until the server shuts down.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::access::AccessControl;
use super::common::call_tracker::CallTracker;
use super::common::handler_context::{HandlerContext, ShutdownSignal};
use super::connections::{ConnectionCounts, ConnectionServer, ConnectionServerParts, accept, connection_capacity};
use super::health::HealthReporter;
use super::listeners::{Listeners, TcpOpener};
use super::memory::RequestMemory;
use super::routes::ServerRoutes;
use crate::call::CallObservers;
use crate::live::CurrentSnapshot;
use crate::settings::OpenInferenceSettings;

/// A running server.
pub struct RunningServer<F> {
    /// Completes when the listeners are closed and every connection has ended. Dropping it earlier
    /// aborts the open connections.
    pub done: F,
    /// Opens the TCP port, unless `server.accept_before_ready` opened it at once.
    pub opener: TcpOpener,
    /// The health of the services. It starts as not serving.
    pub health: HealthReporter,
    /// The connection counts.
    pub connections: Arc<ConnectionCounts>,
    /// The memory of requests.
    pub memory: Arc<RequestMemory>,
}

/// Serves the connections of `listeners` until `shutdown` completes. `access` authenticates TCP
/// callers, and `observers` receive every call.
///
/// At shutdown the server closes the listeners, begins a graceful close of every connection, and
/// waits for open requests. A connection without requests closes at once, or is aborted after a
/// second.
///
/// # Errors
/// The services cannot be built.
pub async fn serve(
    listeners: Listeners,
    live: Arc<CurrentSnapshot>,
    open_inference: &OpenInferenceSettings,
    access: Arc<AccessControl>,
    observers: CallObservers,
    shutdown: BoxFuture<'static, ()>,
) -> Result<RunningServer<impl Future<Output = Result<(), Infallible>> + use<>>, tonic_reflection::server::Error> {
    let shutdown: ShutdownSignal = shutdown.shared();
    let calls = CallTracker::new(observers);
    let context = HandlerContext {
        live: Arc::clone(&live),
        calls: calls.clone(),
        shutdown: shutdown.clone(),
    };
    let ServerRoutes {
        routes,
        methods,
        health,
    } = ServerRoutes::build(context, open_inference).await?;
    let (shutdown_sender, shutdown_receiver) = watch::channel(false);
    let cut_off = calls.cut_off_on_drop();
    let connections = Arc::new(ConnectionCounts::default());
    let counts = Arc::clone(&connections);
    let memory = Arc::new(RequestMemory::new(Arc::clone(&live)));
    let listener_count = 1 + usize::from(listeners.unix_socket().is_some());
    let connection_capacity = connection_capacity(listener_count, live.server().connections.max_connections);
    let server = Arc::new(ConnectionServer::new(ConnectionServerParts {
        routes,
        methods,
        live,
        calls,
        access,
        counts,
        memory: Arc::clone(&memory),
        shutdown: shutdown_receiver,
        connection_capacity,
    }));
    let (tcp, opener, unix) = listeners.into_parts();
    // Boxed because the future of the accept loops is too large to move.
    let done = Box::pin(async move {
        // Dropped in the reverse order: a call is marked as cut off before its connection is aborted.
        let shutdown_sender = shutdown_sender;
        let _cut_off = cut_off;
        let tasks = TaskTracker::new();
        let (tcp_server, tcp_tasks, mut stopping) = (Arc::clone(&server), tasks.clone(), server.shutdown());
        let tcp = async move {
            let opened = tokio::select! {
                opened = tcp => opened.ok(),
                _ = stopping.wait_for(|is_stopping| *is_stopping) => None,
            };
            if let Some(listener) = opened {
                accept(listener, tcp_server, tcp_tasks).await;
            }
        };
        let unix = unix.map(|unix| accept(unix, server, tasks.clone()));
        let stopped = async {
            shutdown.await;
            shutdown_sender.send_replace(true);
        };
        let unix = async {
            if let Some(unix) = unix {
                unix.await;
            }
        };
        tokio::join!(stopped, tcp, unix);
        tasks.close();
        tasks.wait().await;
        Ok(())
    });
    Ok(RunningServer {
        done,
        opener,
        health,
        connections,
        memory,
    })
}
