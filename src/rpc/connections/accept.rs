//! Lets connections in, up to a limit, until the server stops.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::task::TaskTracker;

use super::connection::Server;
use super::log_throttle::Pace;
use crate::rpc::unix_socket;

/// After a connection that could not be accepted for want of something, file descriptors for one: to ask again at once would keep a
/// processor busy with nothing.
const PAUSE: Duration = Duration::from_millis(100);

/// Where connections come in.
pub(in crate::rpc) trait Accepting: Send + Sync {
    type Connection: Send + 'static;

    /// What the log calls it.
    const NAME: &'static str;

    fn accept(&self) -> impl Future<Output = io::Result<Self::Connection>> + Send;

    fn serve(server: Arc<Server>, connection: Self::Connection) -> impl Future<Output = ()> + Send + 'static;
}

impl Accepting for TcpListener {
    type Connection = TcpStream;
    const NAME: &'static str = "TCP";

    async fn accept(&self) -> io::Result<TcpStream> {
        Self::accept(self).await.map(|(connection, _)| connection)
    }

    async fn serve(server: Arc<Server>, connection: TcpStream) {
        server.serve_tcp(connection).await;
    }
}

impl Accepting for unix_socket::Listener {
    type Connection = UnixStream;
    const NAME: &'static str = "the Unix socket";

    async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(connection, _)| connection)
    }

    /// Who may open the file was asked by the operating system: no token is asked for.
    async fn serve(server: Arc<Server>, connection: UnixStream) {
        server.serve(connection, Instant::now(), None).await;
    }
}

/// Lets connections in by `listener`, which is closed at the end: when the server stops.
pub(in crate::rpc) async fn accept<L: Accepting>(listener: L, server: Arc<Server>, tasks: TaskTracker) {
    let mut stopping = server.stopping();
    let open = Arc::new(AtomicUsize::new(0));
    let (mut refusals, mut failures) = (Pace::default(), Pace::default());
    loop {
        let accepted = tokio::select! {
            biased;
            // An error: nobody is left to say it.
            _ = stopping.wait_for(|stopping| *stopping) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            // One task lets in, so nobody comes in between: at most so many are open. A lower limit closes nobody.
            Ok(connection) => match open.load(Relaxed) < server.max_connections() {
                true => {
                    let (server, open) = (Arc::clone(&server), Arc::clone(&open));
                    open.fetch_add(1, Relaxed);
                    server.counts().accepted.fetch_add(1, Relaxed);
                    tasks.spawn(async move {
                        let counted = Counted(Arc::clone(&server), open);
                        L::serve(server, connection).await;
                        drop(counted);
                    });
                }
                false => {
                    drop(connection);
                    server.counts().refused.fetch_add(1, Relaxed);
                    if let Some(count) = refusals.happened(Instant::now()) {
                        let (by, most) = (L::NAME, server.max_connections());
                        tracing::warn!(
                            by,
                            most,
                            count,
                            "connections were refused: server.max_connections are open (count: since the last such line)"
                        );
                    }
                }
            },
            Err(error) => {
                if let Some(count) = failures.happened(Instant::now()) {
                    let by = L::NAME;
                    tracing::warn!(%error, by, count, "a connection could not be accepted (count: since the last such line)");
                }
                if !is_of_one_connection(&error) {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Whether the next connection may well be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// An open connection.
struct Counted(Arc<Server>, Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.counts().closed.fetch_add(1, Relaxed);
        self.1.fetch_sub(1, Relaxed);
    }
}
