//! A histogram of certified radii with fixed buckets.

/// The upper bounds of the buckets, in the units of the float input, ascending. A radius that
/// equals a bound belongs to the bucket of that bound. One more bucket holds the radii above the
/// last bound. The bounds are the same for every model, so the histograms of two servers are
/// comparable.
pub const RADIUS_BOUNDS: [f64; 22] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0,
    5.0, 10.0,
];

/// A histogram of certified radii.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RadiusHistogram {
    /// The number of radii in each bucket: at most the bound in [`RADIUS_BOUNDS`] and above the
    /// bound before it. The last bucket has no upper bound. The counts are not cumulative.
    pub buckets: [u64; RADIUS_BOUNDS.len() + 1],
    /// The sum of all radii, in the units of the float input.
    pub sum: f64,
}

impl RadiusHistogram {
    /// Counts one radius.
    pub(super) fn add(&mut self, radius: f64) {
        let bucket = RADIUS_BOUNDS.partition_point(|&bound| bound < radius);
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.sum += radius;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_radius_is_counted_once_in_its_bucket() {
        let mut histogram = RadiusHistogram::default();
        for radius in [1e-9, 0.001, 0.001_000_1, 0.25, 0.250_001, 10.0, 11.0] {
            histogram.add(radius);
        }
        let filled: Vec<_> = (0..histogram.buckets.len())
            .filter(|&bucket| histogram.buckets[bucket] > 0)
            .map(|bucket| (bucket, histogram.buckets[bucket]))
            .collect();
        assert_eq!(filled, [(0, 2), (1, 1), (11, 1), (12, 1), (21, 1), (22, 1)]);
        assert!((histogram.sum - 21.502_001_1).abs() < 1e-6);
        assert!(RADIUS_BOUNDS.is_sorted_by(|a, b| a < b));
    }
}
