//! The settings and files that determine an engine.

use std::path::PathBuf;

use super::manifest_check::{model_key, read_manifest, record};
use crate::classifier::smoothing::concurrency::max_concurrent_inputs;
use crate::domain::{PerRole, ProofKey, Role, Violations};
use crate::onnx::{Manifest, check_model_file};
use crate::settings::{FileDigests, RuntimeSettings, SchedulerSettings, Settings};

/// The settings, and the contents of the files they name, that an engine is built from. An engine
/// stays in use as long as its configuration stays the same.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineConfig {
    manifests: PerRole<ManifestFile>,
    /// The records of the proofs.
    proof_records: PerRole<Option<Vec<u8>>>,
    /// The keys whose proof records are accepted.
    proof_keys: Vec<ProofKey>,
    runtime: RuntimeSettings,
    scheduler: SchedulerSettings,
    max_concurrent_inputs: usize,
    allow_inexact_runtime: bool,
}

/// The path and the text of a manifest. The text contains the SHA-256 of the ONNX file.
#[derive(Debug, Clone, PartialEq)]
struct ManifestFile {
    path: PathBuf,
    text: String,
}

impl EngineConfig {
    /// Reads the configuration for `settings`, with the manifests that are on the disk now. `digests`
    /// remembers the ONNX files.
    ///
    /// # Errors
    /// Returns every violation if a manifest cannot be read or is invalid, or if an ONNX file is not
    /// the one that its manifest describes: a restart would then fail.
    pub fn read(settings: &Settings, digests: &FileDigests) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        let manifests = PerRole::of(|role| read_manifest(settings, role, &mut violations));
        let (Some(standard), Some(robust)) = (&manifests.standard, &manifests.robust) else {
            return Err(violations);
        };
        for (role, manifest) in [(Role::Standard, standard), (Role::Robust, robust)] {
            record(check_model_file(manifest, digests), model_key(role), &mut violations);
        }
        violations.into_result()?;
        Ok(Self::new(settings, PerRole { standard, robust }))
    }

    /// Creates the configuration for `settings` and `manifests`.
    pub(super) fn new(settings: &Settings, manifests: PerRole<&Manifest>) -> Self {
        Self {
            manifests: PerRole::of(|role: Role| ManifestFile {
                path: manifests[role].file.clone(),
                text: manifests[role].text.clone(),
            }),
            proof_records: PerRole::of(|role: Role| manifests[role].proof.clone()),
            proof_keys: settings.proof_keys.clone(),
            runtime: settings.runtime.clone(),
            scheduler: settings.scheduler,
            max_concurrent_inputs: max_concurrent_inputs(settings),
            allow_inexact_runtime: settings.certificate.allow_inexact_runtime,
        }
    }

    /// The records of the proofs, standard model first. The configuration revision covers them.
    pub(super) fn proof_records(&self) -> [Option<&[u8]>; 2] {
        Role::ALL.map(|role| self.proof_records[role].as_deref())
    }

    /// The texts of the manifests, standard model first. The configuration revision covers them.
    pub(super) fn manifest_texts(&self) -> [&str; 2] {
        Role::ALL.map(|role| self.manifests[role].text.as_str())
    }
}
