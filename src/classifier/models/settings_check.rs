//! Checks the settings against the robust model.

use crate::certificate::Temperature;
use crate::classifier::smoothing::concurrency::max_concurrent_inputs;
use crate::domain::{ModelGuarantee, Violations};
use crate::onnx::OutputKind;
use crate::scheduler::bulk_capacity;
use crate::settings::Settings;

/// Checks that `settings` fit a robust model with this guarantee and this kind of output.
///
/// # Errors
/// Returns a violation for every key that does not fit.
pub(super) fn check_settings(
    settings: &Settings,
    guarantee: &ModelGuarantee,
    output_kind: OutputKind,
) -> Result<(), Violations> {
    let mut violations = Violations::default();
    let is_smoothed = matches!(guarantee, ModelGuarantee::GaussianSmoothing { .. });
    let takes_temperature = output_kind == OutputKind::Logits && !is_smoothed;
    let served = settings.mixture.robust_temperature;
    let fits = |temperature: Temperature| temperature == Temperature::ONE || takes_temperature;
    let message = || {
        format!(
            "the temperature must be 1 for a robust model with guarantee \"{}\" and these outputs: it has no effect on \
             votes or probabilities",
            guarantee.name()
        )
    };
    violations.check(fits(served), "mixture.robust_temperature", message);
    // A candidate that follows the served temperature adds no violation of its own.
    let candidates = settings.shadow_candidates.iter();
    let mut others = candidates
        .map(|candidate| candidate.robust_temperature)
        .filter(|&other| other != served);
    violations.check(others.all(fits), "mixture.shadow_candidates", message);
    // Two batches for each input whose votes are drawn at the same time.
    let needed_rows = max_concurrent_inputs(settings) * 2 * settings.runtime.robust_batch_size.unwrap_or(1);
    let has_capacity = !is_smoothed || bulk_capacity(settings.scheduler.queue_rows) >= needed_rows;
    violations.check(has_capacity, "scheduler.queue_rows", || {
        format!(
            "three quarters of the value must be at least {needed_rows}: the rows that one request for votes may have \
             outstanding"
        )
    });
    violations.into_result()
}
