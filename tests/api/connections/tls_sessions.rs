//! A session of TLS is resumed only where callers need no certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, RootCertStore};

use crate::support::Setup;
use crate::support::process::ServerProcess;
use crate::support::tls_authority::{CertificateAndKey, CertificateAuthority, VALID_NOW, with_tls};

/// A client that keeps its sessions between connections.
fn client(servers: &CertificateAuthority, identity: &CertificateAndKey) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(servers.pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_webpki_verifier(verifier.build().unwrap())
        .with_client_auth_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// Connects, and returns whether the handshake resumed a session.
async fn handshake(client: &TlsConnector, address: SocketAddr) -> HandshakeKind {
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = client.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    // The tickets of TLS 1.3 come before the SETTINGS of the server.
    stream.read_exact(&mut [0; 9]).await.unwrap();
    stream.get_ref().1.handshake_kind().unwrap()
}

/// A resumed session presents no certificate, so it would outlive the trust in its authority.
#[tokio::test]
async fn a_session_with_a_client_certificate_is_never_resumed() {
    let (servers, clients) = (CertificateAuthority::new(), CertificateAuthority::new());
    for (client_ca, second) in [("", HandshakeKind::Resumed), ("clients.pem", HandshakeKind::Full)] {
        let setup = Setup::pair("linear_g", "linear_h").text("tls.client_ca", client_ca);
        let setup = with_tls(setup, &servers.sign(VALID_NOW));
        setup.file("clients.pem", clients.pem.as_bytes());
        let server = ServerProcess::spawn(&setup.write());
        let (address, client) = (server.address(), client(&servers, &clients.sign(VALID_NOW)));
        assert_eq!(handshake(&client, address).await, HandshakeKind::Full);
        assert_eq!(handshake(&client, address).await, second, "{client_ca:?}");
    }
}
