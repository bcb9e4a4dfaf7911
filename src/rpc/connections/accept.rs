//! Accepts connections, until the server shuts down.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::task::TaskTracker;

use super::connection::ConnectionServer;
use super::connection_table::RefusalReason;
use super::slots::{ConnectionSlot, ConnectionSlots};
use crate::call::Principal;
use crate::domain::LogThrottle;
use crate::rpc::unix_socket::UnixSocketListener;

/// The pause after a failure that the next attempt would repeat, such as a lack of file
/// descriptors. Without it the loop would keep a processor busy.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The pause while an evicted connection gives its file descriptor back.
const EVICTION_DELAY: Duration = Duration::from_millis(1);

/// The most connections that are accepted before every other task has had its turn. A flood of
/// connections then delays a request by no more than some hundred microseconds.
const MAX_ACCEPTS_PER_TURN: u32 = 16;

/// A listener whose connections the server can serve.
pub(in crate::rpc) trait ConnectionListener: Send + Sync {
    type Connection: Send + 'static;

    /// The name of the transport in the log.
    const NAME: &'static str;

    /// The next connection, and its peer before it has authenticated.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Connection, Principal)>> + Send;

    fn serve(
        server: Arc<ConnectionServer>,
        connection: Self::Connection,
        slot: &ConnectionSlot,
    ) -> impl Future<Output = ()> + Send;
}

impl ConnectionListener for TcpListener {
    type Connection = TcpStream;
    const NAME: &'static str = "TCP";

    async fn accept(&self) -> io::Result<(TcpStream, Principal)> {
        let (connection, peer) = Self::accept(self).await?;
        Ok((connection, Principal::at(peer.ip())))
    }

    async fn serve(server: Arc<ConnectionServer>, connection: TcpStream, slot: &ConnectionSlot) {
        server.serve_tcp(connection, slot).await;
    }
}

impl ConnectionListener for UnixSocketListener {
    type Connection = UnixStream;
    const NAME: &'static str = "the Unix socket";

    async fn accept(&self) -> io::Result<(UnixStream, Principal)> {
        let (connection, _) = self.listener.accept().await?;
        let user = connection.peer_cred().map(|user| Principal::UnixUser(user.uid()));
        Ok((connection, user.unwrap_or(Principal::Unknown)))
    }

    /// Serves without tokens: the operating system has checked the permissions of the socket file.
    async fn serve(server: Arc<ConnectionServer>, connection: UnixStream, slot: &ConnectionSlot) {
        server.serve_http2(connection, slot, slot.address(), None).await;
    }
}

/// Accepts connections from `listener` until the server shuts down, then closes it.
pub(in crate::rpc) async fn accept<L: ConnectionListener>(
    listener: L,
    server: Arc<ConnectionServer>,
    tasks: TaskTracker,
) {
    let mut shutdown = server.shutdown();
    let slots = ConnectionSlots::new(Arc::clone(server.counts()));
    let (mut refusals, mut failures) = (LogThrottle::default(), LogThrottle::default());
    let mut accepted_in_turn = 0;
    loop {
        if accepted_in_turn >= MAX_ACCEPTS_PER_TURN {
            accepted_in_turn = 0;
            tokio::task::yield_now().await;
        }
        let accepted = tokio::select! {
            biased;
            // An error means that the sender is gone, which also ends the loop.
            _ = shutdown.wait_for(|is_stopping| *is_stopping) => return,
            accepted = listener.accept() => accepted,
        };
        let (now, limits) = (Instant::now(), server.table_limits());
        match accepted {
            // A reload to a lower limit closes no connection.
            Ok((connection, peer)) => {
                accepted_in_turn += 1;
                match slots.admit(peer, now, &limits) {
                    Ok(slot) => {
                        let server = Arc::clone(&server);
                        tasks.spawn(async move {
                            tokio::select! {
                                biased;
                                () = slot.aborted() => {}
                                () = L::serve(server, connection, &slot) => {}
                            }
                        });
                    }
                    Err(reason) => {
                        drop(connection);
                        server.counts().record_refusal(reason);
                        if let Some(count) = refusals.record(now) {
                            log_refusal(L::NAME, peer, reason, count);
                        }
                    }
                }
            }
            Err(error) => {
                if let Some(count) = failures.record(now) {
                    let transport = L::NAME;
                    tracing::warn!(
                        %error,
                        transport,
                        count,
                        "connection could not be accepted (count: since the last such line)"
                    );
                }
                if affects_one_connection(&error) {
                    continue;
                }
                let is_evicting = lacks_file_descriptors(&error) && slots.evict(now, &limits);
                tokio::time::sleep(if is_evicting {
                    EVICTION_DELAY
                } else {
                    ACCEPT_RETRY_DELAY
                })
                .await;
            }
        }
    }
}

fn log_refusal(transport: &str, peer: Principal, reason: RefusalReason, count: u64) {
    let limit = match reason {
        RefusalReason::AllBusy => "server.max_connections",
        RefusalReason::PeerLimit => "server.max_connections_per_peer, or more than half of server.max_connections",
    };
    tracing::warn!(
        transport,
        %peer,
        limit,
        count,
        "connections were refused because every open connection has a request in progress \
         (count: since the last such line)"
    );
}

/// Whether the error concerns one connection only, so that the next attempt may succeed.
fn affects_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// Whether the process or the machine has no file descriptor left.
fn lacks_file_descriptors(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}
