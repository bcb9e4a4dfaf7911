//! The contents of the configuration files, as digests.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::domain::hex;
use crate::onnx::proof_record_path;
use crate::settings::{self, Settings};

/// Digests of the settings file and of the files that it names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigDigests {
    /// SHA-256 of the settings file, hexadecimal; empty if the file cannot be read.
    pub(super) file_sha256: String,
    named_files: String,
}

impl ConfigDigests {
    /// The digest of the text that `settings` were parsed from, and of the files that they name as
    /// these files are now.
    ///
    /// Call this before the named files are read: the first detection then finds a change that
    /// happens in between.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            file_sha256: settings.file_sha256.clone(),
            named_files: digest(&files_of(settings)),
        }
    }

    /// The digests of a settings file with this `text` that names `files`.
    pub(super) fn new(text: &str, files: &[PathBuf]) -> Self {
        Self {
            file_sha256: settings::sha256(text),
            named_files: digest(files),
        }
    }
}

/// The files that can change while the server runs: those that `settings` name, and the proof
/// records beside the models, which may be absent.
pub(super) fn files_of(settings: &Settings) -> Vec<PathBuf> {
    let models = [&settings.models.standard, &settings.models.robust];
    let proofs = models.into_iter().filter_map(|manifest| proof_record_path(manifest));
    settings.files().into_iter().chain(proofs).collect()
}

/// The SHA-256 of the paths and the contents of `files`. A file that cannot be read counts as one
/// without contents.
#[must_use]
pub fn digest(files: &[PathBuf]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.as_os_str().as_encoded_bytes());
        hash.update(read_regular(file).map(Sha256::digest).unwrap_or_default());
    }
    hex(&hash.finalize())
}

/// `None` for anything but a regular file, because a read of a pipe blocks.
fn read_regular(file: &Path) -> Option<Vec<u8>> {
    let regular = std::fs::metadata(file).is_ok_and(|found| found.is_file());
    regular.then(|| std::fs::read(file).ok()).flatten()
}
