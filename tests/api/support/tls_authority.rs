//! An authority and what it signs, made anew for each test.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::Setup;

/// What a certificate is good for, in years: from the first to the second.
pub type ValidityYears = (i32, i32);

/// Holds now and for longer than these tests will be run.
pub const VALID_NOW: ValidityYears = (2000, 4000);

pub struct CertificateAuthority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
#[derive(Clone)]
pub struct CertificateAndKey {
    pub certificate: String,
    pub key: String,
}

impl CertificateAuthority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// For `localhost` and for clients alike.
    pub fn sign(&self, (from, to): ValidityYears) -> CertificateAndKey {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let key = KeyPair::generate().unwrap();
        CertificateAndKey {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// A client that trusts this authority.
    pub fn client_config(&self) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&self.pem))
            .domain_name("localhost")
    }
}

impl CertificateAndKey {
    pub fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate, &self.key)
    }

    /// Written beside the settings, as `name.pem` and `name.key`.
    pub fn write(&self, setup: &Setup, name: &str) -> (PathBuf, PathBuf) {
        (
            setup.file(&format!("{name}.pem"), self.certificate.as_bytes()),
            setup.file(&format!("{name}.key"), self.key.as_bytes()),
        )
    }
}

/// A server with `pair`, in files beside its settings and named as an operator would name them.
pub fn with_tls(setup: Setup, pair: &CertificateAndKey) -> Setup {
    pair.write(&setup, "server");
    setup
        .text("tls.certificate", "server.pem")
        .text("tls.key", "server.key")
}
