//! The authorities of client certificates, each trusted only while it is valid.
//!
//! The verifier of rustls trusts its roots without an end, and refuses no bundle for an expired one.
//! During the rotation of an authority a bundle holds the old one beside the new one, and the old one
//! may have expired. So each authority has a verifier of its own, which is asked only while the
//! authority is valid: at each handshake, not when the file is read.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};

use super::certificate_chain::{DatedCertificate, Validity, read_certificates};

/// The authorities of one file.
#[derive(Debug)]
pub(super) struct ClientAuthorities {
    authorities: Vec<Authority>,
    /// The verifier of all authorities. It is asked for everything but trust.
    all: Arc<dyn ClientCertVerifier>,
}

#[derive(Debug)]
struct Authority {
    validity: Validity,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl ClientAuthorities {
    /// Reads the authorities in `path`.
    ///
    /// # Errors
    /// The file cannot be read or holds something that is no authority, or none is valid at `now`.
    pub(super) fn read(path: &Path, now: SystemTime, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let with_path = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let dated = read_certificates(path)?;
        let verifier = |certificates: &[DatedCertificate]| -> Result<Arc<dyn ClientCertVerifier>, String> {
            let mut roots = RootCertStore::empty();
            for dated in certificates {
                roots
                    .add(dated.certificate.clone())
                    .map_err(|error| with_path(&error))?;
            }
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
            let built = builder.build().map_err(|error| with_path(&error))?;
            Ok(built)
        };
        let authority = |dated: &DatedCertificate| {
            Ok(Authority {
                validity: dated.validity.clone(),
                verifier: verifier(std::slice::from_ref(dated))?,
            })
        };
        let read = Self {
            authorities: dated.iter().map(authority).collect::<Result<_, String>>()?,
            all: verifier(&dated)?,
        };
        let invalid = read.invalid(now);
        if invalid.len() == read.authorities.len() {
            return Err(with_path(&invalid.join("; ")));
        }
        Ok(read)
    }

    /// Why authorities are not trusted at `now`, one reason for each.
    pub(super) fn invalid(&self, now: SystemTime) -> Vec<String> {
        let authorities = self.authorities.iter();
        authorities
            .filter_map(|authority| authority.validity.violation(now))
            .collect()
    }
}

impl ClientCertVerifier for ClientAuthorities {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.all.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let date = UNIX_EPOCH + std::time::Duration::from_secs(now.as_secs());
        let mut refusal = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        for authority in &self.authorities {
            if authority.validity.violation(date).is_some() {
                continue;
            }
            match authority.verifier.verify_client_cert(end_entity, intermediates, now) {
                Ok(verified) => return Ok(verified),
                // The issuer says more than that the other authorities did not issue it.
                Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {}
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.all.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.all.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.all.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
    use tokio_rustls::rustls::crypto::ring;

    use super::*;

    /// The start of a year, about.
    fn year(year: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs((year - 1970) * 31_557_600)
    }

    struct TestAuthority {
        pem: String,
        leaf: CertificateDer<'static>,
    }

    /// An authority that is valid from the start of one year to the start of the other, and a
    /// certificate of it that is valid for much longer.
    fn authority(name: &str, from: i32, to: i32) -> TestAuthority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let mut leaf = CertificateParams::new(vec!["client".to_owned()]).unwrap();
        (leaf.not_before, leaf.not_after) = (date_time_ymd(1990, 1, 1), date_time_ymd(4000, 1, 1));
        let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        TestAuthority {
            pem,
            leaf: leaf.der().clone(),
        }
    }

    fn read(bundle: &[&TestAuthority], now: SystemTime) -> Result<ClientAuthorities, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let pem: String = bundle.iter().map(|authority| authority.pem.as_str()).collect();
        std::fs::write(&path, pem).unwrap();
        ClientAuthorities::read(&path, now, &Arc::new(ring::default_provider()))
    }

    fn trusts(authorities: &ClientAuthorities, client: &TestAuthority, now: SystemTime) -> bool {
        let since = now.duration_since(UNIX_EPOCH).unwrap();
        let verified = authorities.verify_client_cert(&client.leaf, &[], UnixTime::since_unix_epoch(since));
        verified.is_ok()
    }

    #[test]
    fn an_authority_is_trusted_only_while_it_is_valid() {
        let (old, new) = (authority("old", 2000, 2020), authority("new", 2010, 2030));
        let both = read(&[&old, &new], year(2015)).unwrap();
        for (date, old_is_trusted, new_is_trusted, invalid) in [
            (2005, true, false, 1),
            (2015, true, true, 0),
            (2025, false, true, 1),
            // No reload has to notice that nothing is valid any more.
            (2035, false, false, 2),
        ] {
            let date = year(date);
            assert_eq!(trusts(&both, &old, date), old_is_trusted, "{date:?}");
            assert_eq!(trusts(&both, &new, date), new_is_trusted, "{date:?}");
            assert_eq!(both.invalid(date).len(), invalid);
        }
    }

    #[test]
    fn a_bundle_needs_one_valid_authority() {
        let (old, new) = (authority("old", 2000, 2020), authority("new", 2010, 2030));
        assert_eq!(read(&[&old, &new], year(2025)).unwrap().invalid(year(2025)).len(), 1);
        let error = read(&[&old, &new], year(2035)).unwrap_err();
        assert!(
            error.contains("CN=old expired") && error.contains("CN=new expired"),
            "{error}"
        );
        let stranger = authority("stranger", 2000, 3000);
        assert!(!trusts(&read(&[&new], year(2015)).unwrap(), &stranger, year(2015)));
    }
}
