//! The target of Predict from the manifest of the robust model, without loading a model.

use std::sync::Arc;

use super::models::LoadError;
use super::smoothing::NoiseKeyGenerator;
use super::smoothing::smoother::Smoother;
use super::smoothing::target_radius::{CertificationGoal, PredictTarget};
use crate::certificate::noise::NoiseSecret;
use crate::domain::ModelGuarantee;
use crate::onnx::Manifest;
use crate::settings::Settings;

/// Returns the target that Predict has with the robust model of `manifest` under `settings`, and the
/// largest one that its votes can prove; `None` if that model draws no votes.
///
/// # Errors
/// Returns an error if the manifest's noise does not fit its grid.
pub fn predict_target_of_manifest(
    manifest: &Manifest,
    settings: &Settings,
) -> Result<Option<PredictTarget>, LoadError> {
    let ModelGuarantee::GaussianSmoothing { sigma, levels } = manifest.guarantee else {
        return Ok(None);
    };
    // Nothing is drawn, so this secret derives no key.
    let keys = Arc::new(NoiseKeyGenerator::new(NoiseSecret::new([0; 32])));
    let smoother =
        Smoother::new(&manifest.input, sigma, levels, keys).map_err(|error| LoadError::Smoothing(error.to_string()))?;
    let goal = CertificationGoal::predict(settings.mixture.alpha, &smoother, &settings.certificate);
    PredictTarget::new(&goal, &settings.certificate)
        .map(Some)
        .map_err(|error| LoadError::Smoothing(error.to_string()))
}
