//! Certificates in PEM files, and whether they hold at a moment.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// Bytes of a file of certificates, of a key or of tokens, at most: several hundred certificates.
const LARGEST_FILE: u64 = 1 << 20;

/// The certificates of a PEM file, in their order, and when the first of them ends.
#[derive(Debug)]
pub(super) struct Certificates {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) expires: SystemTime,
}

/// Reads the file at `path` whole, if it is not too large to be what it should be.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let told = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(told)?.take(LARGEST_FILE + 1);
    file.read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!(
            "{} is larger than {LARGEST_FILE} bytes; expected a PEM file, or one of tokens",
            path.display()
        ));
    }
    Ok(bytes)
}

/// The certificates in `path`, each of which must hold at `now`.
pub(super) fn certificates(path: &Path, now: SystemTime) -> Result<Certificates, String> {
    let pem = read(path)?;
    let shown = path.display();
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{shown} is no PEM file of certificates: {error}"))?;
    let ends = chain
        .iter()
        .map(|der| end_of(der, now).map_err(|reason| format!("{shown}: {reason}")))
        .collect::<Result<Vec<_>, _>>()?;
    match ends.into_iter().min() {
        Some(expires) => Ok(Certificates { chain, expires }),
        None => Err(format!("{shown} holds no certificate; expected BEGIN CERTIFICATE")),
    }
}

/// Until when a certificate holds that holds at `now`.
fn end_of(der: &[u8], now: SystemTime) -> Result<SystemTime, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| format!("not a certificate: {error}"))?;
    let (subject, validity) = (certificate.subject(), certificate.validity());
    let (begin, end) = (
        moment(validity.not_before.timestamp()),
        moment(validity.not_after.timestamp()),
    );
    let shown = |time| humantime::format_rfc3339_seconds(time);
    if now < begin {
        return Err(format!(
            "the certificate of {subject} is not valid before {}",
            shown(begin)
        ));
    }
    if now > end {
        return Err(format!("the certificate of {subject} expired at {}", shown(end)));
    }
    Ok(end)
}

/// Seconds since 1970; what lies before is as long past, and a certificate without end ends at the last second that is shown.
fn moment(seconds: i64) -> SystemTime {
    const LAST_SHOWN: u64 = 253_402_300_799;
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(LAST_SHOWN))
}
