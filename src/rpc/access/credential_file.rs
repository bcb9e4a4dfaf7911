//! Reads a file of certificates, of a key or of tokens.

use std::path::Path;

use crate::settings::{ConfigFileKind, read_config_file};

/// Whether a message may show a path that names no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathKind {
    /// The path of a public file, such as a certificate.
    Public,
    /// The path of a file of secrets. By mistake it may be the secret itself.
    Secret,
}

/// Reads the file at `path` whole.
///
/// # Errors
/// The file cannot be read, or is too large. The message shows nothing of its contents.
pub(super) fn read_file(path: &Path, kind: PathKind) -> Result<Vec<u8>, String> {
    read_config_file(ConfigFileKind::Credentials, path)
        .map_err(|error| format!("cannot read {}: {error}", shown(path, kind)))
}

/// The path as a message shows it. A path of a secret is shown only if something exists there.
pub(super) fn shown(path: &Path, kind: PathKind) -> String {
    if kind == PathKind::Public || std::fs::symlink_metadata(path).is_ok() {
        return path.display().to_string();
    }
    "the file that this key names (the key takes a path, not the secret itself)".to_owned()
}
