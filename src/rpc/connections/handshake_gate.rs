//! Shares the cost of TLS handshakes between peers and with everything else.
//!
//! A signature with an RSA key costs about a millisecond of a thread that serves requests. A burst
//! of handshakes would otherwise run back to back, before any request. Behind this gate one
//! handshake computes at a time, and every other task has a turn before the next. Peers take turns,
//! so that the burst of one peer does not delay another.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::poll;
use tokio::net::TcpStream;
use tokio::sync::Mutex as FairMutex;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::call::Principal;

/// The handshakes that one peer may begin at once. A whole fleet behind one address fits.
const PEER_BURST: u32 = 1024;

/// The average time between two handshakes of one peer after a burst. With an RSA key, a peer can
/// cost a fifth of a processor.
const PEER_INTERVAL: Duration = Duration::from_millis(5);

/// The most peers whose rates are remembered beside those that wait.
const MAX_IDLE_PEERS: usize = 1024;

/// Lets one handshake compute at a time.
#[derive(Default)]
pub(super) struct HandshakeGate {
    /// Locks are granted in the order of their requests. A peer requests it once at a time.
    turn: FairMutex<()>,
    peers: Mutex<HashMap<Principal, Arc<PeerGate>>>,
}

#[derive(Default)]
struct PeerGate {
    rate: FairMutex<HandshakeRate>,
}

/// The generic cell rate algorithm: a peer that begins handshakes faster than its interval gets
/// ahead of a virtual clock, and waits once it is a whole burst ahead.
#[derive(Debug, Default, Clone, Copy)]
struct HandshakeRate {
    /// The virtual clock; `None` before the first handshake.
    next: Option<Instant>,
}

impl HandshakeRate {
    /// Records a handshake, and returns how long it has to wait at `now`.
    fn record(&mut self, now: Instant) -> Duration {
        let next = self.next.map_or(now, |next| next.max(now));
        self.next = Some(next + PEER_INTERVAL);
        next.saturating_duration_since(now)
            .saturating_sub(PEER_INTERVAL * (PEER_BURST - 1))
    }

    /// Whether the peer is not ahead of the clock, so that nothing has to be remembered of it.
    fn is_idle(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| next <= now)
    }
}

impl HandshakeGate {
    /// Performs the handshake of `stream`. The wait for the peer costs no turn.
    ///
    /// # Errors
    /// The handshake fails.
    pub(super) async fn accept(
        &self,
        acceptor: &TlsAcceptor,
        stream: TcpStream,
        peer: Principal,
    ) -> io::Result<TlsStream<TcpStream>> {
        // A peer that sends nothing costs nothing.
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let mut handshake = pin!(start.into_stream(Arc::clone(acceptor.config())));
        {
            let gate = self.peer_gate(peer);
            let mut rate = gate.rate.lock().await;
            tokio::time::sleep(rate.record(Instant::now())).await;
            let _turn = self.turn.lock().await;
            // The signature is computed here; then the handshake waits for the peer's answer.
            if let Poll::Ready(result) = poll!(handshake.as_mut()) {
                return result;
            }
        }
        handshake.await
    }

    fn peer_gate(&self, peer: Principal) -> Arc<PeerGate> {
        let mut peers = self.lock();
        if peers.len() >= MAX_IDLE_PEERS {
            let now = Instant::now();
            // A gate that is in use cannot be read now and stays. Its users hold connections, whose
            // number is bounded.
            peers.retain(|_, gate| {
                let is_idle = gate.rate.try_lock().is_ok_and(|rate| rate.is_idle(now));
                Arc::strong_count(gate) > 1 || !is_idle
            });
            if peers.len() >= 2 * MAX_IDLE_PEERS {
                peers.retain(|_, gate| Arc::strong_count(gate) > 1);
            }
        }
        Arc::clone(peers.entry(peer).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Principal, Arc<PeerGate>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};

    use super::*;

    #[test]
    fn a_burst_passes_at_once_and_the_rest_at_the_rate() {
        let now = Instant::now();
        let mut rate = HandshakeRate::default();
        for _ in 0..PEER_BURST {
            assert_eq!(rate.record(now), Duration::ZERO);
        }
        assert_eq!(rate.record(now), PEER_INTERVAL);
        assert_eq!(rate.record(now), 2 * PEER_INTERVAL);
        assert!(!rate.is_idle(now));
        assert!(rate.is_idle(now + PEER_INTERVAL * (PEER_BURST + 2)));
        // Time gives the burst back.
        let later = now + PEER_INTERVAL * (PEER_BURST + 2);
        assert_eq!(rate.record(later), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_handshake_waits_for_the_one_that_computes() {
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = key.cert.der().clone();
        let private_key = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], private_key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let connector = TlsConnector::from(Arc::new(client));
            connector
                .connect("localhost".try_into().unwrap(), stream)
                .await
                .unwrap();
        });
        let (stream, peer) = listener.accept().await.unwrap();

        let gate = HandshakeGate::default();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let mut accept = pin!(gate.accept(&acceptor, stream, Principal::at(peer.ip())));
        let turn = gate.turn.lock().await;
        // Without the gate, the handshake ends within a millisecond.
        tokio::time::timeout(Duration::from_millis(100), accept.as_mut())
            .await
            .unwrap_err();
        drop(turn);
        accept.await.unwrap();
        client.await.unwrap();
    }

    #[test]
    fn the_remembered_peers_are_bounded() {
        let gate = HandshakeGate::default();
        for host in 0..u32::try_from(10 * MAX_IDLE_PEERS).unwrap() {
            let peer = gate.peer_gate(Principal::at(std::net::Ipv4Addr::from_bits(host).into()));
            // Each peer is ahead of its clock, so it would be remembered for long.
            let mut rate = peer.rate.try_lock().unwrap();
            for _ in 0..PEER_BURST {
                rate.record(Instant::now());
            }
        }
        assert!(gate.lock().len() <= 2 * MAX_IDLE_PEERS);
    }
}
