//! Accepts connections up to a limit, until the server shuts down.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::task::TaskTracker;

use super::connection::ConnectionServer;
use super::log_throttle::LogThrottle;
use crate::call::Principal;
use crate::rpc::unix_socket::UnixSocketListener;

/// The pause after a failure that the next attempt would repeat, such as a lack of file
/// descriptors. Without it the loop would keep a processor busy.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// A listener whose connections the server can serve.
pub(in crate::rpc) trait ConnectionListener: Send + Sync {
    type Connection: Send + 'static;

    /// The name of the transport in the log.
    const NAME: &'static str;

    fn accept(&self) -> impl Future<Output = io::Result<Self::Connection>> + Send;

    fn serve(server: Arc<ConnectionServer>, connection: Self::Connection) -> impl Future<Output = ()> + Send + 'static;
}

impl ConnectionListener for TcpListener {
    type Connection = TcpStream;
    const NAME: &'static str = "TCP";

    async fn accept(&self) -> io::Result<TcpStream> {
        Self::accept(self).await.map(|(connection, _)| connection)
    }

    async fn serve(server: Arc<ConnectionServer>, connection: TcpStream) {
        server.serve_tcp(connection).await;
    }
}

impl ConnectionListener for UnixSocketListener {
    type Connection = UnixStream;
    const NAME: &'static str = "the Unix socket";

    async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(connection, _)| connection)
    }

    /// Serves without tokens: the operating system has checked the permissions of the socket file.
    async fn serve(server: Arc<ConnectionServer>, connection: UnixStream) {
        let principal = connection
            .peer_cred()
            .map_or(Principal::Unknown, |user| Principal::UnixUser(user.uid()));
        server.serve_http2(connection, Instant::now(), principal, None).await;
    }
}

/// Accepts connections from `listener` until the server shuts down, then closes it.
pub(in crate::rpc) async fn accept<L: ConnectionListener>(
    listener: L,
    server: Arc<ConnectionServer>,
    tasks: TaskTracker,
) {
    let mut shutdown = server.shutdown();
    let open = Arc::new(AtomicUsize::new(0));
    let (mut refusals, mut failures) = (LogThrottle::default(), LogThrottle::default());
    loop {
        let accepted = tokio::select! {
            biased;
            // An error means that the sender is gone, which also ends the loop.
            _ = shutdown.wait_for(|is_stopping| *is_stopping) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            // This task alone adds connections, so the limit holds between the check and the count.
            // A reload to a lower limit closes no connection.
            Ok(connection) if open.load(Relaxed) < server.max_connections() => {
                let guard = OpenConnectionGuard::new(Arc::clone(&server), Arc::clone(&open));
                let server = Arc::clone(&server);
                tasks.spawn(async move {
                    L::serve(server, connection).await;
                    drop(guard);
                });
            }
            Ok(connection) => {
                drop(connection);
                server.counts().refused.fetch_add(1, Relaxed);
                if let Some(count) = refusals.record(Instant::now()) {
                    let (transport, limit) = (L::NAME, server.max_connections());
                    tracing::warn!(
                        transport,
                        limit,
                        count,
                        "connections were refused because server.max_connections are open \
                         (count: since the last such line)"
                    );
                }
            }
            Err(error) => {
                if let Some(count) = failures.record(Instant::now()) {
                    let transport = L::NAME;
                    tracing::warn!(
                        %error,
                        transport,
                        count,
                        "connection could not be accepted (count: since the last such line)"
                    );
                }
                if !affects_one_connection(&error) {
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    }
}

/// Whether the error concerns one connection only, so that the next attempt may succeed.
fn affects_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// Counts one open connection until it is dropped.
struct OpenConnectionGuard {
    server: Arc<ConnectionServer>,
    open: Arc<AtomicUsize>,
}

impl OpenConnectionGuard {
    fn new(server: Arc<ConnectionServer>, open: Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Relaxed);
        server.counts().accepted.fetch_add(1, Relaxed);
        Self { server, open }
    }
}

impl Drop for OpenConnectionGuard {
    fn drop(&mut self) {
        self.server.counts().closed.fetch_add(1, Relaxed);
        self.open.fetch_sub(1, Relaxed);
    }
}
