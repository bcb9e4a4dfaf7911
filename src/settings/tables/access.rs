//! Access control: `[tls]`, and the bearer tokens and the plaintext permission of `[server]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::server::LISTEN;
use crate::settings::config_file::ConfigFileKind;
use crate::settings::file_digests::ConfigFile;
use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};

/// The files that decide which callers the TCP listener accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessSettings {
    /// TLS for TCP connections; `None` for plaintext.
    pub tls: Option<TlsSettings>,
    /// File of bearer tokens. A caller over TCP must present one of them.
    pub bearer_token_file: Option<PathBuf>,
}

/// `[tls]`: paths of PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The server's certificate, followed by its intermediate certificates.
    pub certificate: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
    /// Authorities for client certificates; `None` if callers need no certificate.
    pub client_ca: Option<PathBuf>,
}

impl AccessSettings {
    /// Every file that is set, with its key.
    #[must_use]
    pub fn files(&self) -> Vec<(&'static str, PathBuf)> {
        let tls = self.tls.as_ref();
        [
            (CERTIFICATE, tls.map(|tls| tls.certificate.clone())),
            (PRIVATE_KEY, tls.map(|tls| tls.key.clone())),
            (CLIENT_CA, tls.and_then(|tls| tls.client_ca.clone())),
            (BEARER_TOKEN_FILE, self.bearer_token_file.clone()),
        ]
        .into_iter()
        .filter_map(|(key, path)| path.map(|path| (key.name, path)))
        .collect()
    }

    /// Every file that is set.
    #[must_use]
    pub fn config_files(&self) -> Vec<ConfigFile> {
        let files = self.files().into_iter();
        files.map(|(_, path)| (ConfigFileKind::Credentials, path)).collect()
    }
}

const CERTIFICATE: SettingKey = SettingKey::live(
    "tls.certificate",
    KeyScope::Operation,
    "PEM file of the server's certificate, followed by its intermediate certificates.",
);
const PRIVATE_KEY: SettingKey = SettingKey::live(
    "tls.key",
    KeyScope::Operation,
    "PEM file of the certificate's private key.",
)
.secret();
const CLIENT_CA: SettingKey = SettingKey::live(
    "tls.client_ca",
    KeyScope::Operation,
    "PEM file of certificate authorities. Callers must then present a certificate that one of them has signed (mTLS).",
);
const BEARER_TOKEN_FILE: SettingKey = SettingKey::live(
    "server.bearer_token_file",
    KeyScope::Operation,
    "File of 1 to 64 bearer tokens, one a line. Callers over TCP must then present one of them.",
)
.secret();
const ALLOW_PLAINTEXT: SettingKey = SettingKey::live(
    "server.allow_plaintext",
    KeyScope::Operation,
    "Allows plaintext on an address that other machines can reach.",
);

pub(in crate::settings) fn read(reader: &mut Reader, listen: SocketAddr) -> AccessSettings {
    let certificate = reader.optional_path(CERTIFICATE);
    let key = reader.optional_path(PRIVATE_KEY);
    let client_ca = reader.optional_path(CLIENT_CA);
    let bearer_token_file = reader.optional_path(BEARER_TOKEN_FILE);
    let allow_plaintext = reader.flag(ALLOW_PLAINTEXT, false);
    reader.check(certificate.is_some() || key.is_none(), CERTIFICATE, || {
        "is missing: tls.key is set, and TLS needs both".to_owned()
    });
    reader.check(key.is_some() || certificate.is_none(), PRIVATE_KEY, || {
        "is missing: tls.certificate is set, and TLS needs both".to_owned()
    });
    let has_tls = certificate.is_some() || key.is_some();
    reader.check(has_tls || client_ca.is_none(), CERTIFICATE, || {
        "is missing: tls.client_ca is set, and callers present certificates over TLS only".to_owned()
    });
    // The checks above already report an incomplete TLS table.
    let is_intended = listen.ip().is_loopback() || has_tls || client_ca.is_some() || allow_plaintext;
    reader.check(is_intended, LISTEN, || {
        let exposed = match bearer_token_file {
            Some(_) => "requests, answers and tokens",
            None => "requests and answers",
        };
        format!(
            "other machines can reach {listen}, and {exposed} would travel in plaintext: set tls.certificate and tls.key, \
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
