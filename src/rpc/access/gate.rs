//! What every handshake and every request asks.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio_rustls::TlsAcceptor;
use tonic::Status;
use tonic::codegen::http::HeaderMap;

use super::credentials::Credentials;

/// The service that answers without a token: a kubelet has none, and what it learns is whether the server serves.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// The credentials in force. Handshakes and requests that come after a swap see the new ones; open connections live on.
#[derive(Debug)]
pub struct Gate {
    credentials: ArcSwap<Credentials>,
}

impl Gate {
    /// A gate that lets in by `credentials`.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials: ArcSwap::from_pointee(credentials),
        }
    }

    /// Swaps `credentials` in, at once and for all that comes after.
    pub fn swap(&self, credentials: Credentials) {
        self.credentials.store(Arc::new(credentials));
    }

    /// When the first certificate of `tls.certificate` ends; `None` without TLS.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.credentials.load().expires()
    }

    /// The other side of one handshake; `None` if connections are in plaintext.
    pub(in crate::rpc) fn acceptor(&self) -> Option<TlsAcceptor> {
        let credentials = self.credentials.load();
        credentials
            .tls
            .as_ref()
            .map(|tls| TlsAcceptor::from(Arc::clone(&tls.config)))
    }

    /// Whether a request for `path` may be answered.
    ///
    /// # Errors
    /// UNAUTHENTICATED if it wants a token and shows none that is known.
    pub(in crate::rpc) fn admit(&self, path: &str, headers: &HeaderMap) -> Result<(), Status> {
        match &self.credentials.load().tokens {
            Some(tokens) if !path.starts_with(HEALTH) => tokens.check(headers),
            _ => Ok(()),
        }
    }
}
