//! Radii, counted in buckets that never change.

/// Upper bounds of the buckets, in the units of the float input, ascending; a radius that equals a bound is in its bucket. Above
/// the last there is one bucket more. They are the same for every model, so that two servers can be compared.
pub const RADIUS_BOUNDS: [f64; 22] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0,
    5.0, 10.0,
];

/// Certified radii.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RadiusHistogram {
    /// How many were at most each of [`RADIUS_BOUNDS`] and above the one before; the last, above all. Not cumulative.
    pub buckets: [u64; RADIUS_BOUNDS.len() + 1],
    /// All of them added up, in the units of the float input.
    pub sum: f64,
}

impl RadiusHistogram {
    /// Counts one.
    pub(in crate::classifier) fn add(&mut self, radius: f64) {
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
    fn a_radius_is_counted_once_where_it_belongs() {
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
