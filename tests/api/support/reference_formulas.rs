//! Expected results of the fixtures, in float64 and independent of the crate.
//!
//! The weights are those of `make_fixtures.py`.

use std::f64::consts::SQRT_2;

pub const G_WEIGHTS: [[f64; 4]; 3] = [[1.0, -0.5, 0.25, 0.0], [0.0, 0.75, -1.0, 0.5], [-1.0, 0.0, 0.5, 0.25]];
pub const G_BIAS: [f64; 3] = [0.125, 0.0, -0.25];
pub const H_WEIGHTS: [[f64; 4]; 3] = [[4.0, 0.0, 0.0, 0.0], [0.0, 4.0, 0.0, 0.0], [0.0, 0.0, 4.0, 0.0]];
pub const LINF_H_WEIGHTS: [[f64; 4]; 3] = [[2.0, 1.0, 0.0, -1.0], [-1.0, 2.0, 1.0, 0.0], [0.0, -1.0, 2.0, 1.0]];

/// Returns the logits of `linear_g`.
pub fn g_logits(x: [f32; 4]) -> Vec<f64> {
    linear(&G_WEIGHTS, &G_BIAS, x)
}

/// Returns the logits of `linear_h`, which `softmax_h` has before its softmax.
pub fn h_logits(x: [f32; 4]) -> Vec<f64> {
    linear(&H_WEIGHTS, &[0.0; 3], x)
}

pub fn linear(weights: &[[f64; 4]], bias: &[f64], x: [f32; 4]) -> Vec<f64> {
    let dot = |row: &[f64; 4]| {
        row.iter()
            .zip(x)
            .map(|(weight, value)| weight * f64::from(value))
            .sum::<f64>()
    };
    weights.iter().zip(bias).map(|(row, bias)| dot(row) + bias).collect()
}

pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|z| (z - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// Returns `ln((1 - alpha) g + alpha h)`.
pub fn mixed_logits(alpha: f64, g: &[f64], h: &[f64]) -> Vec<f64> {
    g.iter()
        .zip(h)
        .map(|(g, h)| ((1.0 - alpha) * g + alpha * h).ln())
        .collect()
}

/// Returns the weight of `h` in the gated mixture: `alpha` where the largest entry exceeds every other
/// by at least `(1 - alpha) / alpha`, and `fallback_alpha` elsewhere. Panics where the margin is too
/// close to that to be decided by float32 outputs.
pub fn robust_weight(alpha: f64, fallback_alpha: f64, h: &[f64]) -> f64 {
    let excess = margin(h) - (1.0 - alpha) / alpha;
    assert!(excess.abs() > 1e-5, "the margin of {h:?} is undecided at alpha {alpha}");
    if excess > 0.0 { alpha } else { fallback_alpha }
}

/// Returns the difference of the two largest entries.
pub fn margin(h: &[f64]) -> f64 {
    let mut sorted = h.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted[0] - sorted[1]
}

pub fn argmax(values: &[f64]) -> usize {
    (0..values.len())
        .rev()
        .max_by(|&a, &b| values[a].total_cmp(&values[b]))
        .unwrap()
}

/// Returns the standard normal distribution function at `x`.
pub fn normal_cdf(x: f64) -> f64 {
    libm::erfc(-x / SQRT_2) / 2.0
}

/// Returns the inverse of [`normal_cdf`], by bisection.
pub fn normal_quantile(p: f64) -> f64 {
    bisect(-40.0, 40.0, |x| normal_cdf(x) < p)
}

/// Returns the point where `below` changes from true to false.
pub fn bisect(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if below(middle) { low = middle } else { high = middle }
    }
    low
}

/// Returns `P(X >= successes)` of a binomial distribution.
pub fn binomial_tail(successes: u64, trials: u64, p: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let (n, first) = (trials as f64, successes as f64);
    let log_term = |k: f64| {
        libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0)
            + k * p.ln()
            + (n - k) * libm::log1p(-p)
    };
    (0..=trials - successes)
        .map(|more| log_term(first + f64::from(u32::try_from(more).unwrap())).exp())
        .sum()
}

/// Compares served float32 values with expected float64 values.
#[track_caller]
pub fn assert_close(served: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(served.len(), expected.len());
    for (served, expected) in served.iter().zip(expected) {
        assert!(
            (f64::from(*served) - expected).abs() <= tolerance,
            "{served} is not {expected}"
        );
    }
}
