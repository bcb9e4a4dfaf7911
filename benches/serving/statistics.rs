//! Medians, ranges, quantiles and slopes. These functions are pure; `tests/serving_bench.rs` tests them.

use serde::{Deserialize, Serialize};

/// A figure that is measured once a round.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RoundSummary {
    pub median: f64,
    #[serde(rename = "least")]
    pub min: f64,
    #[serde(rename = "most")]
    pub max: f64,
    pub per_round: Vec<f64>,
}

impl RoundSummary {
    /// Without values, all figures are 0.
    pub fn of(values: Vec<f64>) -> Self {
        Self {
            median: median(&values),
            min: values.iter().copied().reduce(f64::min).unwrap_or_default(),
            max: values.iter().copied().reduce(f64::max).unwrap_or_default(),
            per_round: values,
        }
    }
}

/// The middle value, or the mean of the two middle values. 0 without values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (left, right) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
    match (sorted.get(left), sorted.get(right)) {
        (Some(left), Some(right)) => f64::midpoint(*left, *right),
        _ => 0.0,
    }
}

/// The smallest value that is not exceeded by at least a share `q` of the values. 0 without values.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The slope of the least-squares line through `(x, y)`. 0 where no line is defined.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |(xs, ys), (x, y)| (xs + x, ys + y));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (covariance, variance) = points.iter().fold((0.0, 0.0), |(covariance, variance), (x, y)| {
        (
            covariance + (x - mean_x) * (y - mean_y),
            variance + (x - mean_x).powi(2),
        )
    });
    if variance > 0.0 { covariance / variance } else { 0.0 }
}
