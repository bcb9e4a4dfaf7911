//! Reads certificates from PEM files and checks that they are valid at a given time.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::credential_file::read_file;

/// The certificates of one PEM file.
#[derive(Debug)]
pub(super) struct CertificateChain {
    /// The certificates in the order of the file.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// The earliest end of validity of any of them.
    pub(super) expires: SystemTime,
}

/// Reads the certificates in `path`.
///
/// # Errors
/// The file cannot be read, holds no certificate, or holds one that is not valid at `now`.
pub(super) fn read_certificates(path: &Path, now: SystemTime) -> Result<CertificateChain, String> {
    let pem = read_file(path)?;
    let shown = path.display();
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{shown} is no PEM file of certificates: {error}"))?;
    let expiries = certificates
        .iter()
        .map(|der| expiry(der, now).map_err(|reason| format!("{shown}: {reason}")))
        .collect::<Result<Vec<_>, _>>()?;
    match expiries.into_iter().min() {
        Some(expires) => Ok(CertificateChain { certificates, expires }),
        None => Err(format!("{shown} holds no certificate; expected BEGIN CERTIFICATE")),
    }
}

/// The end of validity of a certificate.
///
/// # Errors
/// The bytes are no certificate, or the certificate is not valid at `now`.
fn expiry(der: &[u8], now: SystemTime) -> Result<SystemTime, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| format!("not a certificate: {error}"))?;
    let (subject, validity) = (certificate.subject(), certificate.validity());
    let not_before = to_system_time(validity.not_before.timestamp());
    let not_after = to_system_time(validity.not_after.timestamp());
    let shown = |time| humantime::format_rfc3339_seconds(time);
    if now < not_before {
        return Err(format!(
            "the certificate of {subject} is not valid before {}",
            shown(not_before)
        ));
    }
    if now > not_after {
        return Err(format!("the certificate of {subject} expired at {}", shown(not_after)));
    }
    Ok(not_after)
}

/// Converts seconds since 1970. Earlier times become 1970. A certificate without an end of validity
/// gets the last second that RFC 3339 can show.
fn to_system_time(seconds: i64) -> SystemTime {
    const LAST_RFC3339_SECOND: u64 = 253_402_300_799;
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(LAST_RFC3339_SECOND))
}
