//! Builds the TLS configuration of the server from PEM files.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{Error, RootCertStore, ServerConfig};

use super::certificate_chain::read_certificates;
use super::credential_file::read_file;
use crate::domain::Violations;
use crate::settings::TlsSettings;

/// The protocol that ALPN offers: gRPC runs on HTTP/2 alone.
const ALPN_PROTOCOL: &[u8] = b"h2";

/// The TLS configuration of handshakes, and the earliest expiry of the server's certificates.
pub(super) struct ServerTls {
    pub(super) config: Arc<ServerConfig>,
    pub(super) expires: SystemTime,
}

/// Reads the files that `settings` name. Records each violation with its key.
///
/// Each configuration has its own session cache. A client therefore cannot resume a session that an
/// authority allowed which is no longer trusted.
pub(super) fn read_tls(settings: &TlsSettings, now: SystemTime, violations: &mut Violations) -> Option<ServerTls> {
    let provider = Arc::new(ring::default_provider());
    let chain = record(
        read_certificates(&settings.certificate, now),
        "tls.certificate",
        violations,
    );
    let key = record(read_private_key(&settings.key), "tls.key", violations);
    let client_ca = settings.client_ca.as_deref();
    let verifier = client_ca.map(|path| record(client_verifier(path, now, &provider), "tls.client_ca", violations));
    let verifier = match verifier {
        Some(verifier) => Some(verifier?),
        None => None,
    };
    let chain = chain?;
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = record(
        versions.map_err(|error| error.to_string()),
        "tls.certificate",
        violations,
    )?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    match builder.with_single_cert(chain.certificates, key?) {
        Ok(mut config) => {
            config.alpn_protocols = vec![ALPN_PROTOCOL.to_vec()];
            Some(ServerTls {
                config: Arc::new(config),
                expires: chain.expires,
            })
        }
        Err(Error::InconsistentKeys(_)) => {
            let (key, certificate) = (settings.key.display(), settings.certificate.display());
            violations.add(
                "tls.key",
                format!("{key} is not the key of tls.certificate = {certificate}"),
            );
            None
        }
        Err(error) => {
            violations.add(
                "tls.certificate",
                format!("{}: {error}", settings.certificate.display()),
            );
            None
        }
    }
}

/// Records an error under `key`.
fn record<T>(result: Result<T, String>, key: &str, violations: &mut Violations) -> Option<T> {
    result.map_err(|reason| violations.add(key, reason)).ok()
}

/// Reads a private key. No error shows the contents of the file.
fn read_private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let pem = read_file(path)?;
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| format!("{} holds no private key; expected BEGIN PRIVATE KEY", path.display()))
}

/// Builds a verifier that requires a client certificate signed by an authority in `path`.
fn client_verifier(
    path: &Path,
    now: SystemTime,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let with_path = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path, now)?.certificates {
        roots.add(certificate).map_err(|error| with_path(&error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| with_path(&error))
}
