//! The principal of a client certificate.

use tokio_rustls::rustls::ServerConnection;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use crate::call::{Fingerprint, Principal};

/// The principal of the certificate that the peer of a TLS connection has presented; `None` without
/// one. Certificates with the same name have the same principal, so that a renewal keeps it.
pub(in crate::rpc) fn certificate_principal(connection: &ServerConnection) -> Option<Principal> {
    let leaf = connection.peer_certificates()?.first()?;
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let fingerprint = match name_of(&certificate) {
        Some(name) => Fingerprint::of(name.as_bytes()),
        None if certificate.subject().iter().next().is_some() => Fingerprint::of(certificate.subject().as_raw()),
        None => Fingerprint::of(leaf),
    };
    Some(Principal::Certificate(fingerprint))
}

/// The common name of the subject, or else the first DNS name or URI among the alternative names.
fn name_of<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a str> {
    let common = certificate.subject().iter_common_name().next();
    if let Some(name) = common
        .and_then(|name| name.as_str().ok())
        .filter(|name| !name.is_empty())
    {
        return Some(name);
    }
    let alternatives = certificate.subject_alternative_name().ok()??;
    alternatives.value.general_names.iter().find_map(|name| match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) => Some(*name),
        _ => None,
    })
}
