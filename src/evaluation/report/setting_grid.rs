//! The settings that the sliders of a report reach.

use crate::certificate::CertificateError;
use crate::evaluation::recompute::{Recomputation, Setting};

/// The temperatures, relative to that in force.
const TEMPERATURE_FACTORS: [f64; 5] = [0.35, 0.6, 1.0, 1.7, 3.0];
/// The values of `fallback_alpha` below alpha; alpha itself is always one.
const FALLBACK_ALPHAS: [f64; 3] = [0.0, 0.25, 0.5];

/// Even steps of alpha from 0.5 to 1, temperatures around the one in force, and values of
/// `fallback_alpha`, each together with the values of the settings `also`. Every alpha and temperature has the
/// paper's mixture.
///
/// # Errors
/// [`CertificateError`] if a value is out of range; none is expected.
pub(super) fn setting_grid(
    recomputation: &Recomputation<'_>,
    also: &[Setting],
) -> Result<Vec<Setting>, CertificateError> {
    let in_force = recomputation.in_force();
    let with = |values: Vec<f64>, of: fn(&Setting) -> f64| ascending(values.into_iter().chain(also.iter().map(of)));
    let alphas = with((20..=40).map(|step| f64::from(step) / 40.0).collect(), Setting::alpha);
    let temperatures = if recomputation.takes_temperature() {
        let scaled = TEMPERATURE_FACTORS.map(|factor| two_digits(factor * in_force.robust_temperature()));
        with(scaled.to_vec(), Setting::robust_temperature)
    } else {
        vec![in_force.robust_temperature()]
    };
    let fallbacks = with(FALLBACK_ALPHAS.to_vec(), Setting::fallback_alpha);
    let mut settings = Vec::new();
    for &alpha in &alphas {
        for &temperature in &temperatures {
            for &fallback in fallbacks.iter().filter(|&&fallback| fallback < alpha).chain([&alpha]) {
                settings.push(in_force.with_mixture(alpha, fallback, temperature)?);
            }
        }
    }
    Ok(settings)
}

/// Sorted, without repetition.
fn ascending(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// The value with two significant digits.
fn two_digits(value: f64) -> f64 {
    format!("{value:.1e}").parse().unwrap_or(value)
}

/// The index of the setting with these weights and this temperature.
pub(super) fn index_of(settings: &[Setting], wanted: &Setting) -> Option<usize> {
    settings.iter().position(|setting| setting.mixture == wanted.mixture)
}
