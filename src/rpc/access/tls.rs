//! From PEM files to what a handshake needs.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{Error, RootCertStore, ServerConfig};

use super::certificates::{self, certificates};
use crate::domain::Violations;
use crate::settings::TlsSettings;

/// gRPC is HTTP/2 alone.
const PROTOCOL: &[u8] = b"h2";

/// What handshakes use, and until when it holds.
pub(super) struct Tls {
    pub(super) config: Arc<ServerConfig>,
    pub(super) expires: SystemTime,
}

/// Reads the files; records what is wrong with them, each with its key.
///
/// The configuration has a session cache of its own: a session that an authority allowed which is no longer trusted cannot
/// be resumed.
pub(super) fn read(settings: &TlsSettings, now: SystemTime, wrong: &mut Violations) -> Option<Tls> {
    let provider = Arc::new(ring::default_provider());
    let chain = noted(certificates(&settings.certificate, now), "tls.certificate", wrong);
    let key = noted(private_key(&settings.key), "tls.key", wrong);
    let client_ca = settings.client_ca.as_deref();
    let clients = client_ca.map(|path| noted(verifier(path, now, &provider), "tls.client_ca", wrong));
    let clients = match clients {
        Some(verifier) => Some(verifier?),
        None => None,
    };
    let chain = chain?;
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = noted(versions.map_err(|error| error.to_string()), "tls.certificate", wrong)?;
    let builder = match clients {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    match builder.with_single_cert(chain.chain, key?) {
        Ok(mut config) => {
            config.alpn_protocols = vec![PROTOCOL.to_vec()];
            Some(Tls {
                config: Arc::new(config),
                expires: chain.expires,
            })
        }
        Err(Error::InconsistentKeys(_)) => {
            let (key, certificate) = (settings.key.display(), settings.certificate.display());
            wrong.add(
                "tls.key",
                format!("{key} is not the key of tls.certificate = {certificate}"),
            );
            None
        }
        Err(error) => {
            wrong.add(
                "tls.certificate",
                format!("{}: {error}", settings.certificate.display()),
            );
            None
        }
    }
}

fn noted<T>(read: Result<T, String>, key: &str, wrong: &mut Violations) -> Option<T> {
    read.map_err(|reason| wrong.add(key, reason)).ok()
}

/// What is said of it never shows what is in it.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let pem = certificates::read(path)?;
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| format!("{} holds no private key; expected BEGIN PRIVATE KEY", path.display()))
}

/// Callers must show a certificate that one of these authorities has signed.
fn verifier(
    path: &Path,
    now: SystemTime,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, now)?.chain {
        roots.add(certificate).map_err(|error| told(&error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| told(&error))
}
