//! The contents of the configuration files, as digests.

use crate::onnx::files_of_manifest;
use crate::settings::{self, ConfigFile, ConfigFileKind, FileDigests, Settings};

/// Digests of the settings file and of the files that determine the models.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigDigests {
    /// SHA-256 of the settings file, hexadecimal; empty if the file cannot be read.
    pub(super) file_sha256: String,
    model_files: String,
}

impl ConfigDigests {
    /// The digest of the text that `settings` were parsed from, and of the files that they name as
    /// these files are now. This blocks: it reads the models.
    ///
    /// Call this before the named files are read: the first detection then finds a change that
    /// happens in between.
    #[must_use]
    pub fn of(settings: &Settings, digests: &FileDigests) -> Self {
        Self {
            file_sha256: settings.file_sha256.clone(),
            model_files: digests.combined(&model_files(settings)),
        }
    }

    /// The digests of a settings file with this `text` that names `files`.
    pub(super) fn new(text: &str, files: &[ConfigFile], digests: &FileDigests) -> Self {
        digests.retain(files);
        Self {
            file_sha256: settings::sha256(text),
            model_files: digests.combined(files),
        }
    }
}

/// The files that a load of the models of `settings` reads: manifests, ONNX files and proof records.
/// They may be absent.
pub(super) fn model_files(settings: &Settings) -> Vec<ConfigFile> {
    let manifests = [&settings.models.standard, &settings.models.robust];
    let files_of = |manifest: &std::path::PathBuf| {
        let own = (ConfigFileKind::Manifest, manifest.clone());
        [vec![own], files_of_manifest(manifest)].concat()
    };
    manifests.into_iter().flat_map(files_of).collect()
}
