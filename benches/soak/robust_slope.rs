//! The slope of a time series, robust to outliers, with a confidence interval.
//!
//! The slope is the Theil-Sen estimator: the median of the slopes between all pairs of points. The
//! interval is that of Sen (1968, Journal of the American Statistical Association 63, 1379-1389):
//! two of the ordered pairwise slopes, which Kendall's statistic places. It needs no normal errors,
//! only independent ones, so the points must be far apart in time.

use serde::{Deserialize, Serialize};

/// The quantile of the normal distribution for a two-sided interval at 95 %.
const Z: f64 = 1.959_963_984_540_054;
/// With fewer points the interval is infinite.
pub const MIN_POINTS: usize = 6;

/// A slope and its interval at 95 %, in the units of y for each unit of x.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slope {
    pub estimate: f64,
    pub lower: f64,
    pub upper: f64,
}

/// The slope of `points`, (x, y) with distinct x. `None` for fewer than [`MIN_POINTS`].
pub fn robust_slope(points: &[(f64, f64)]) -> Option<Slope> {
    if points.len() < MIN_POINTS {
        return None;
    }
    let mut slopes = Vec::new();
    for (index, (x, y)) in points.iter().enumerate() {
        for (later_x, later_y) in points.iter().skip(index + 1) {
            if later_x > x {
                slopes.push((later_y - y) / (later_x - x));
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    let n = points.len() as f64;
    let pairs = slopes.len() as f64;
    // The standard deviation of Kendall's S without ties; ties only make it smaller.
    let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let lower_rank = ((pairs - Z * deviation) / 2.0).floor().max(0.0) as usize;
    let upper_rank = ((pairs + Z * deviation) / 2.0).ceil() as usize;
    let last = slopes.len().checked_sub(1)?;
    let (left, right) = (last / 2, slopes.len() / 2);
    Some(Slope {
        estimate: f64::midpoint(*slopes.get(left)?, *slopes.get(right)?),
        lower: *slopes.get(lower_rank.saturating_sub(1))?,
        upper: *slopes.get(upper_rank.min(last))?,
    })
}
