//! An authority with the certificates of a server and of a client.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// A folder of PEM files: `ca.crt`, `server.crt` and `server.key` for `localhost`, `client.crt` and `client.key`.
pub struct Certificates(TempDir);

impl Certificates {
    pub fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().unwrap();
        folder.write("ca.crt", &authority.self_signed(&key).unwrap().pem());
        let issuer = Issuer::new(authority, key);
        for (file, name) in [("server", "localhost"), ("client", "client.example")] {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new([name.to_owned()]).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            folder.write(&format!("{file}.crt"), &params.signed_by(&key, &issuer).unwrap().pem());
            folder.write(&format!("{file}.key"), &key.serialize_pem());
        }
        folder
    }

    /// Writes a file, and returns its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// The path of a file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path of a file as a TOML string.
    pub fn toml(&self, name: &str) -> String {
        format!("\"{}\"", self.path(name).display())
    }
}
