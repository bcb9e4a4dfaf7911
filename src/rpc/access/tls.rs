//! Builds the TLS configuration of the server from PEM files.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::{Error, ServerConfig};

use super::certificate_chain::read_chain;
use super::client_authorities::ClientAuthorities;
use super::credential_file::{PathKind, read_file, shown};
use crate::domain::Violations;
use crate::settings::TlsSettings;

/// The protocol that ALPN offers: gRPC runs on HTTP/2 alone.
const ALPN_PROTOCOL: &[u8] = b"h2";

/// The TLS configuration of handshakes, and the earliest expiry of the server's certificates.
pub(super) struct ServerTls {
    pub(super) config: Arc<ServerConfig>,
    pub(super) expires: SystemTime,
    /// The authorities of client certificates; `None` if callers need no certificate.
    pub(super) authorities: Option<Arc<ClientAuthorities>>,
}

/// Reads the files that `settings` name. Records each violation with its key.
///
/// Each configuration has its own session cache, and none if callers need a certificate. A client
/// therefore cannot resume a session that an authority allowed which is no longer trusted.
pub(super) fn read_tls(settings: &TlsSettings, now: SystemTime, violations: &mut Violations) -> Option<ServerTls> {
    let provider = Arc::new(ring::default_provider());
    let chain = record(read_chain(&settings.certificate, now), "tls.certificate", violations);
    let key = record(read_private_key(&settings.key), "tls.key", violations);
    let client_ca = settings.client_ca.as_deref();
    let authorities = client_ca.map(|path| {
        let read = ClientAuthorities::read(path, now, &provider);
        record(read, "tls.client_ca", violations).map(Arc::new)
    });
    let authorities = match authorities {
        Some(authorities) => Some(authorities?),
        None => None,
    };
    let chain = chain?;
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = record(
        versions.map_err(|error| error.to_string()),
        "tls.certificate",
        violations,
    )?;
    let builder = match &authorities {
        Some(authorities) => builder.with_client_cert_verifier(Arc::<ClientAuthorities>::clone(authorities)),
        None => builder.with_no_client_auth(),
    };
    match builder.with_single_cert(chain.certificates, key?) {
        Ok(mut config) => {
            config.alpn_protocols = vec![ALPN_PROTOCOL.to_vec()];
            // A resumed session presents no certificate, so it would outlive its authority.
            if authorities.is_some() {
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
            }
            Some(ServerTls {
                config: Arc::new(config),
                expires: chain.expires,
                authorities,
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
    let pem = read_file(path, PathKind::Secret)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        let shown = shown(path, PathKind::Secret);
        format!("{shown} holds no private key; expected BEGIN PRIVATE KEY")
    })
}
