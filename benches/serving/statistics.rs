//! Medians, spreads and slopes. Pure; `tests/serving_bench.rs` tests them.

use serde::{Deserialize, Serialize};

/// A figure that was measured once a round.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
    pub per_round: Vec<f64>,
}

impl Spread {
    /// Of no values: zeros.
    pub fn of(values: Vec<f64>) -> Self {
        Self {
            median: median(&values),
            least: values.iter().copied().reduce(f64::min).unwrap_or_default(),
            most: values.iter().copied().reduce(f64::max).unwrap_or_default(),
            per_round: values,
        }
    }
}

/// The middle value; of an even number, the middle of the two. 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (left, right) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
    match (sorted.get(left), sorted.get(right)) {
        (Some(left), Some(right)) => f64::midpoint(*left, *right),
        _ => 0.0,
    }
}

/// The least value that at least a share `q` of the values do not exceed. 0 of none.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// Slope of the least-squares line through `(x, y)`. 0 where no line is defined.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |(xs, ys), (x, y)| (xs + x, ys + y));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (up, across) = points.iter().fold((0.0, 0.0), |(up, across), (x, y)| {
        (up + (x - mean_x) * (y - mean_y), across + (x - mean_x).powi(2))
    });
    if across > 0.0 { up / across } else { 0.0 }
}
