//! Checks both manifests against each other and against the settings. No model is loaded.

use std::sync::Arc;

use super::message_limits_check::check_message_limits;
use super::model_error::ModelError;
use super::served_model::RobustInference;
use super::settings_check::check_settings;
use crate::classifier::smoothing::NoiseKeyGenerator;
use crate::classifier::smoothing::smoother::{Smoother, SmootherError};
use crate::domain::{JustifiedBasis, ModelGuarantee, PerRole, Role, Violations};
use crate::onnx::{Manifest, check_pair_compatibility, guarantee_basis};
use crate::settings::Settings;

/// The key of both models together.
const BOTH_MODELS: &str = "models";

/// Manifests that were read, and what follows from them. A value is `None` if a violation prevents
/// it.
pub(super) struct CheckedManifests {
    pub(super) manifests: PerRole<Option<Manifest>>,
    /// Whether each guarantee is proven or claimed; the inner `None` for a model without one.
    pub(super) bases: PerRole<Option<Option<JustifiedBasis>>>,
    /// How to evaluate the robust model.
    pub(super) robust_inference: Option<RobustInference>,
}

/// The key of the settings that names the manifest of `role`.
pub(super) fn model_key(role: Role) -> &'static str {
    match role {
        Role::Standard => "models.standard",
        Role::Robust => "models.robust",
    }
}

/// Reads the manifest of `role`.
pub(super) fn read_manifest(settings: &Settings, role: Role, violations: &mut Violations) -> Option<Manifest> {
    let path = match role {
        Role::Standard => &settings.models.standard,
        Role::Robust => &settings.models.robust,
    };
    record(Manifest::read(path), model_key(role), violations)
}

/// Checks the manifests that were read, and adds every violation to `violations`.
pub(super) fn check_manifests(
    manifests: PerRole<Option<Manifest>>,
    settings: &Settings,
    keys: Arc<NoiseKeyGenerator>,
    violations: &mut Violations,
) -> CheckedManifests {
    if let (Some(standard), Some(robust)) = (&manifests.standard, &manifests.robust) {
        record(check_pair_compatibility(standard, robust), BOTH_MODELS, violations);
    }
    let bases = PerRole::of(|role| {
        let manifest = manifests[role].as_ref()?;
        record(
            guarantee_basis(manifest, &settings.proof_keys),
            model_key(role),
            violations,
        )
    });
    let mut robust_inference = None;
    if let Some(robust) = &manifests.robust {
        if let Err(found) = check_settings(settings, &robust.guarantee, robust.output_kind) {
            add_new(found, violations);
        }
        check_message_limits(settings, &robust.input, &robust.labels, violations);
        robust_inference = record(inference_of(robust, keys), model_key(Role::Robust), violations);
    }
    CheckedManifests {
        manifests,
        bases,
        robust_inference,
    }
}

/// Returns how to evaluate the robust model, from its guarantee.
fn inference_of(manifest: &Manifest, keys: Arc<NoiseKeyGenerator>) -> Result<RobustInference, ModelError> {
    let ModelGuarantee::GaussianSmoothing { sigma, levels } = manifest.guarantee else {
        return Ok(RobustInference::OneRow);
    };
    let smoother = Smoother::new(&manifest.input, sigma, levels, keys)
        .map_err(|error: SmootherError| ModelError::Smoothing(error.to_string()))?;
    Ok(RobustInference::Votes(Box::new(smoother)))
}

/// Adds the violations of an error under `key`, and returns the value of a success.
pub(super) fn record<T, E: Into<ModelError>>(
    result: Result<T, E>,
    key: &str,
    violations: &mut Violations,
) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            add_new(error.into().violations(key), violations);
            None
        }
    }
}

/// Adds the violations that are not in the list. Both models may fail for one reason.
fn add_new(found: Violations, violations: &mut Violations) {
    for violation in found.0 {
        if !violations.0.contains(&violation) {
            violations.0.push(violation);
        }
    }
}
