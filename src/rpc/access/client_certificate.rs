//! The principal of a client certificate.

use tokio_rustls::rustls::ServerConnection;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::call::{Fingerprint, Principal};

/// The principal of the certificate that the peer of a TLS connection has presented; `None` without
/// one. Certificates with the same subject have the same principal, so that a renewal keeps it.
pub(in crate::rpc) fn certificate_principal(connection: &ServerConnection) -> Option<Principal> {
    let leaf = connection.peer_certificates()?.first()?;
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let subject = certificate.subject().as_raw();
    // Authorities may name the holder in the subject alternative name alone.
    let identity = if certificate.subject().iter().next().is_some() {
        subject
    } else {
        leaf
    };
    Some(Principal::Certificate(Fingerprint::of(identity)))
}
