//! Any bytes as a file of certificates, of a private key or of tokens.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use crate::rpc::AccessControl;
use crate::settings::{AccessSettings, TlsSettings};

/// 1 January 2026, when the certificate in the corpus is valid.
const NOW: Duration = Duration::from_secs(1_767_225_600);

/// The shortest part of a file that an error must not show.
const SECRET_LENGTH: usize = 12;

/// The file that all credentials name.
static FILE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("credentials");
    (folder, path)
});

/// Reads `data` as tokens, and as a file that holds the certificate, its key and the authorities.
///
/// No error shows a line of the file.
pub(super) fn credentials(data: &[u8]) {
    let path = &FILE.1;
    fs::write(path, data).unwrap();
    let tokens = AccessSettings {
        tls: None,
        bearer_token_file: Some(path.clone()),
    };
    let pem = AccessSettings {
        tls: Some(TlsSettings {
            certificate: path.clone(),
            key: path.clone(),
            client_ca: Some(path.clone()),
        }),
        bearer_token_file: None,
    };
    for settings in [tokens, pem] {
        let Err(error) = AccessControl::new(&settings, UNIX_EPOCH + NOW) else {
            continue;
        };
        let text = error.to_string().replace(&path.display().to_string(), "");
        let text = text.replace("credentials", "");
        for line in data.split(|byte| byte.is_ascii_whitespace()) {
            let line = String::from_utf8_lossy(line);
            assert!(
                line.len() < SECRET_LENGTH || !text.contains(&*line),
                "{text} shows {line}"
            );
        }
    }
}
