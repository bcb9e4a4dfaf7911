//! What the files of a configuration say, by their digests.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::domain::hex;
use crate::onnx::proof_path;
use crate::settings::{self, Settings};

/// Digests of the settings file and of the files that it names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Of the settings file, hexadecimal; empty if it cannot be read.
    pub(super) file_sha256: String,
    others: String,
}

impl Contents {
    /// What `settings` were read from, and the files that they name, as they are now. To be taken before those are read: what
    /// changes in between is then found by the next look.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            file_sha256: settings.file_sha256.clone(),
            others: digest(&files_of(settings)),
        }
    }

    /// `text` of the settings file, and `files`.
    pub(super) fn new(text: &str, files: &[PathBuf]) -> Self {
        Self {
            file_sha256: settings::sha256(text),
            others: digest(files),
        }
    }
}

/// The files that `settings` name and that may change while the server runs, and the records of proofs beside the models,
/// which no setting names; they need not be there.
pub(super) fn files_of(settings: &Settings) -> Vec<PathBuf> {
    let models = [&settings.models.standard, &settings.models.robust];
    let proofs = models.into_iter().filter_map(|manifest| proof_path(manifest));
    settings.files().into_iter().chain(proofs).collect()
}

/// Names `files` and their contents; one that cannot be read counts as such.
#[must_use]
pub fn digest(files: &[PathBuf]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.as_os_str().as_encoded_bytes());
        hash.update(content(file).map(Sha256::digest).unwrap_or_default());
    }
    hex(&hash.finalize())
}

/// None for what is no regular file: a pipe would be waited for.
fn content(file: &Path) -> Option<Vec<u8>> {
    let regular = std::fs::metadata(file).is_ok_and(|found| found.is_file());
    regular.then(|| std::fs::read(file).ok()).flatten()
}
