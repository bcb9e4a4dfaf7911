//! Checks the settings on a machine that may lack the models.

use std::path::PathBuf;
use std::sync::Arc;

use super::manifest_check::{check_manifests, model_key, read_manifest};
use crate::certificate::noise::NoiseSecret;
use crate::classifier::smoothing::NoiseKeyGenerator;
use crate::domain::{PerRole, Violations};
use crate::settings::Settings;

/// The result of a check without models.
#[derive(Debug, Clone, Default)]
pub struct OfflineCheck {
    /// Every violation in the manifests that exist, and every setting that does not fit them.
    pub violations: Violations,
    /// The manifests that do not exist, each with its key.
    pub absent: Vec<(&'static str, PathBuf)>,
}

/// Checks the manifests that exist on this machine against each other and against `settings`. Reads
/// no ONNX file.
#[must_use]
pub fn check_offline(settings: &Settings) -> OfflineCheck {
    let mut check = OfflineCheck::default();
    let paths = PerRole {
        standard: &settings.models.standard,
        robust: &settings.models.robust,
    };
    let manifests = PerRole::of(|role| {
        if paths[role].try_exists().unwrap_or(true) {
            return read_manifest(settings, role, &mut check.violations);
        }
        check.absent.push((model_key(role), paths[role].clone()));
        None
    });
    // No vote is drawn, so this secret derives no key.
    let keys = Arc::new(NoiseKeyGenerator::new(NoiseSecret::new([0; 32])));
    check_manifests(manifests, settings, keys, &mut check.violations);
    check
}
