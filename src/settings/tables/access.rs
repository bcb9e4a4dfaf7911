//! Who may talk to the server: `[tls]`, and the tokens and the plaintext of `[server]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::settings::reader::Reader;

/// The files that say who may talk to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessSettings {
    /// TLS by TCP, or plaintext.
    pub tls: Option<TlsSettings>,
    /// Tokens of which a caller by TCP must show one.
    pub bearer_token_file: Option<PathBuf>,
}

/// `[tls]`: PEM files, relative to the settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The server's certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// Authorities of which one must have signed the caller's certificate; `None`: callers need none.
    pub client_ca: Option<PathBuf>,
}

impl AccessSettings {
    /// Every file that is named, with its key.
    #[must_use]
    pub fn files(&self) -> Vec<(&'static str, PathBuf)> {
        let tls = self.tls.as_ref();
        [
            ("tls.certificate", tls.map(|tls| tls.certificate.clone())),
            ("tls.key", tls.map(|tls| tls.key.clone())),
            ("tls.client_ca", tls.and_then(|tls| tls.client_ca.clone())),
            ("server.bearer_token_file", self.bearer_token_file.clone()),
        ]
        .into_iter()
        .filter_map(|(key, path)| path.map(|path| (key, path)))
        .collect()
    }
}

pub(in crate::settings) fn read(reader: &mut Reader, listen: SocketAddr) -> AccessSettings {
    let certificate = reader.optional_path("tls.certificate");
    let key = reader.optional_path("tls.key");
    let client_ca = reader.optional_path("tls.client_ca");
    let bearer_token_file = reader.optional_path("server.bearer_token_file");
    let allow_plaintext = reader.flag("server.allow_plaintext", false);
    reader.check(certificate.is_some() || key.is_none(), "tls.certificate", || {
        "is missing: tls.key is set, and TLS needs both".to_owned()
    });
    reader.check(key.is_some() || certificate.is_none(), "tls.key", || {
        "is missing: tls.certificate is set, and TLS needs both".to_owned()
    });
    let is_tls = certificate.is_some() || key.is_some();
    reader.check(is_tls || client_ca.is_none(), "tls.certificate", || {
        "is missing: tls.client_ca is set, and callers show their certificates by TLS alone".to_owned()
    });
    // Half a pair is told once, above.
    let is_meant = listen.ip().is_loopback() || is_tls || client_ca.is_some() || allow_plaintext;
    reader.check(is_meant, "server.listen", || {
        let what = match bearer_token_file {
            Some(_) => "requests, answers and tokens",
            None => "requests and answers",
        };
        format!(
            "{listen} is reached from other machines, and {what} would travel in the clear: set tls.certificate and tls.key, \
             or server.allow_plaintext = true if the network is trusted"
        )
    });
    let tls = certificate.zip(key).map(|(certificate, key)| TlsSettings {
        certificate,
        key,
        client_ca,
    });
    AccessSettings { tls, bearer_token_file }
}
