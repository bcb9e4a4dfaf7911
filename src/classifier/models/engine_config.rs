//! What an engine is built from: as long as it stays the same, so does the engine.

use super::engine::lanes;
use crate::domain::{PerRole, ProofKey, Role};
use crate::onnx::{Manifest, OnnxError};
use crate::settings::{RuntimeSettings, SchedulerSettings, Settings};

/// The part of the settings, and of the files they name, that is built into an engine.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineConfig {
    manifests: PerRole<(std::path::PathBuf, String)>,
    /// The records of proofs, and whose are believed.
    proofs: PerRole<Option<Vec<u8>>>,
    proof_keys: Vec<ProofKey>,
    runtime: RuntimeSettings,
    scheduler: SchedulerSettings,
    lanes: usize,
    allow_inexact_runtime: bool,
}

impl EngineConfig {
    /// What `settings` ask for, with the manifests as they are on the disk now.
    ///
    /// # Errors
    /// If a manifest cannot be read or is wrong.
    pub fn read(settings: &Settings) -> Result<Self, OnnxError> {
        let manifests = PerRole {
            standard: &Manifest::read(&settings.models.standard)?,
            robust: &Manifest::read(&settings.models.robust)?,
        };
        Ok(Self::of(settings, manifests))
    }

    /// What `settings` ask for, with `manifests`.
    pub(in crate::classifier) fn of(settings: &Settings, manifests: PerRole<&Manifest>) -> Self {
        Self {
            // The ONNX files have their SHA-256 in the manifests.
            manifests: PerRole::of(|role: Role| (manifests[role].file.clone(), manifests[role].text.clone())),
            proofs: PerRole::of(|role: Role| manifests[role].proof.clone()),
            proof_keys: settings.proof_keys.clone(),
            runtime: settings.runtime.clone(),
            scheduler: settings.scheduler,
            lanes: lanes(settings),
            allow_inexact_runtime: settings.certificate.allow_inexact_runtime,
        }
    }

    /// The records of proofs, standard first: they too are part of what a revision names.
    pub(in crate::classifier) fn proofs(&self) -> [Option<&[u8]>; 2] {
        Role::ALL.map(|role| self.proofs[role].as_deref())
    }

    /// The manifests' texts, standard first: part of what a revision names.
    pub(in crate::classifier) fn manifest_texts(&self) -> [&str; 2] {
        Role::ALL.map(|role| self.manifests[role].1.as_str())
    }
}
