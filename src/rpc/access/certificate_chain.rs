//! Reads certificates from PEM files, with their validity.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::credential_file::{PathKind, read_file};

/// The certificates of one PEM file, in its order.
#[derive(Debug)]
pub(super) struct CertificateChain {
    /// The certificates in the order of the file.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// The earliest end of validity of any of them.
    pub(super) expires: SystemTime,
}

/// A certificate and its validity.
#[derive(Debug, Clone)]
pub(super) struct DatedCertificate {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) validity: Validity,
}

/// When a certificate is valid, and the name of its holder.
#[derive(Debug, Clone)]
pub(super) struct Validity {
    subject: String,
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
}

impl Validity {
    /// Why the certificate is not valid at `now`; `None` if it is.
    pub(super) fn violation(&self, now: SystemTime) -> Option<String> {
        let Self {
            subject,
            not_before,
            not_after,
        } = self;
        let shown = |time: &SystemTime| humantime::format_rfc3339_seconds(*time);
        if now < *not_before {
            Some(format!(
                "the certificate of {subject} is not valid before {}",
                shown(not_before)
            ))
        } else if now > *not_after {
            Some(format!("the certificate of {subject} expired at {}", shown(not_after)))
        } else {
            None
        }
    }
}

/// Reads the certificates in `path`, a chain of which each must be valid.
///
/// # Errors
/// The file cannot be read, holds no certificate, or holds one that is not valid at `now`.
pub(super) fn read_chain(path: &Path, now: SystemTime) -> Result<CertificateChain, String> {
    let dated = read_certificates(path)?;
    if let Some(reason) = dated.iter().find_map(|dated| dated.validity.violation(now)) {
        return Err(format!("{}: {reason}", path.display()));
    }
    let expires = dated.iter().map(|dated| dated.validity.not_after).min();
    Ok(CertificateChain {
        certificates: dated.into_iter().map(|dated| dated.certificate).collect(),
        // `read_certificates` returns at least one.
        expires: expires.unwrap_or(UNIX_EPOCH),
    })
}

/// Reads the certificates in `path`, whether they are valid or not. There is at least one.
///
/// # Errors
/// The file cannot be read, or holds no certificate, or something that is none.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<DatedCertificate>, String> {
    let pem = read_file(path, PathKind::Public)?;
    let shown = path.display();
    // The error of the parser quotes the line, which may belong to a key.
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| {
            format!("{shown} is no PEM file of certificates; expected BEGIN and END CERTIFICATE around base64")
        })?;
    if certificates.is_empty() {
        return Err(format!("{shown} holds no certificate; expected BEGIN CERTIFICATE"));
    }
    let dated = |certificate: CertificateDer<'static>| {
        let validity = validity(&certificate).map_err(|reason| format!("{shown}: {reason}"))?;
        Ok(DatedCertificate { certificate, validity })
    };
    certificates.into_iter().map(dated).collect()
}

/// The validity of a certificate.
///
/// # Errors
/// The bytes are no certificate.
fn validity(der: &[u8]) -> Result<Validity, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| format!("not a certificate: {error}"))?;
    let validity = certificate.validity();
    Ok(Validity {
        subject: certificate.subject().to_string(),
        not_before: to_system_time(validity.not_before.timestamp()),
        not_after: to_system_time(validity.not_after.timestamp()),
    })
}

/// Converts seconds since 1970. Earlier times become 1970. A certificate without an end of validity
/// gets the last second that RFC 3339 can show.
fn to_system_time(seconds: i64) -> SystemTime {
    const LAST_RFC3339_SECOND: u64 = 253_402_300_799;
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(LAST_RFC3339_SECOND))
}
