//! The logits of the mixed classifier.
//!
//! Lemma 1 needs every `g_i` in [0, 1], whatever the standard network returns. This module turns
//! NaN, infinities and numbers out of range into probabilities before it mixes them.

use super::numerics::nan_safe::{at_least, at_most};
use super::parameters::alpha::Alpha;
use super::parameters::temperature::Temperature;

/// The smallest log probability: `ln` of the smallest normal float, about -708.4. It stands for
/// probability 0, so that mixed logits are always finite.
pub const LOG_FLOOR: f64 = -708.396_418_532_264_1;

/// `f_i = ln((1 - alpha) g_i + alpha h_i)` (arXiv 2311.15165, Eq. 4), computed by log-sum-exp.
///
/// Shapes: each input holds one log probability per class; the result is as long as the shorter
/// input. Units: natural logarithms. Every result is finite and from [`LOG_FLOOR`] to 0. At alpha 0
/// and 1 it equals exactly one network's input. A NaN counts as probability 0, and a value above 0
/// as probability 1.
#[must_use]
pub fn mixed_logits(alpha: Alpha, standard_log_probs: &[f64], robust_log_probs: &[f64]) -> Vec<f64> {
    let weight = alpha.get();
    let (log_standard, log_robust) = (libm::log1p(-weight), libm::log(weight));
    standard_log_probs
        .iter()
        .zip(robust_log_probs)
        .map(|(&standard, &robust)| {
            let (standard, robust) = (in_range(standard), in_range(robust));
            if weight <= 0.0 {
                return standard;
            }
            if weight >= 1.0 {
                return robust;
            }
            let (a, b) = (log_standard + standard, log_robust + robust);
            in_range(at_least(a, b) + libm::log1p(libm::exp(-(a - b).abs())))
        })
        .collect()
}

/// `ln softmax(logits / T)`, one value per class, without overflow. Range: [`LOG_FLOOR`] to 0.
///
/// Infinite logits share the whole probability equally. A row with a NaN, or with nothing above
/// minus infinity, gets probability 0 everywhere: such a row votes for no class.
#[must_use]
pub fn log_softmax(logits: &[f32], temperature: Temperature) -> Vec<f64> {
    // A comparison with NaN is always false, so NaN needs a check of its own below.
    let larger = |most, &z| if z > most { z } else { most };
    let largest = logits.iter().fold(f32::NEG_INFINITY, larger);
    if largest == f32::NEG_INFINITY || logits.iter().any(|z| z.is_nan()) {
        return vec![LOG_FLOOR; logits.len()];
    }
    let scaled: Vec<f64> = logits
        .iter()
        .map(|&z| {
            if z >= largest {
                0.0
            } else {
                // At most 0; minus infinity where `largest` is infinite.
                (f64::from(z) - f64::from(largest)) / temperature.get()
            }
        })
        .collect();
    let log_sum = libm::log(scaled.iter().map(|&s| libm::exp(s)).sum::<f64>());
    scaled.iter().map(|&s| in_range(s - log_sum)).collect()
}

/// The logarithms of a model's probabilities, limited to the range from 0 to 1. A NaN becomes 0.
#[must_use]
pub fn log_probabilities(probabilities: &[f32]) -> Vec<f64> {
    probabilities
        .iter()
        .map(|&p| {
            if p > 0.0 {
                in_range(libm::log(f64::from(p)))
            } else {
                LOG_FLOOR
            }
        })
        .collect()
}

/// The index of the largest value, or the first of equal ones; `None` for an empty slice. A NaN is
/// the largest only if every value is NaN.
#[must_use]
pub fn argmax(values: &[f64]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (index, &value) in values.iter().enumerate() {
        if best.is_none_or(|(_, largest)| value > largest || (largest.is_nan() && !value.is_nan())) {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
}

/// A log probability limited to the range from the floor to 0. A NaN becomes the floor.
fn in_range(log_probability: f64) -> f64 {
    if log_probability > LOG_FLOOR {
        at_most(log_probability, 0.0)
    } else {
        LOG_FLOOR
    }
}
