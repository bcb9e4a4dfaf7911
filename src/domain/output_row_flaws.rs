//! Counts of invalid rows in a model's output.

use std::ops::AddAssign;

/// The largest distance of a valid probability from [0, 1], and of the sum of a row of
/// probabilities from 1.
///
/// A float16 softmax rounds each value by up to one part in 2,048, so its sum may differ from 1 by
/// half of this tolerance. A softmax over several rows at once, whose rows sum to less than 1/2, is
/// far outside.
pub const PROBABILITY_TOLERANCE: f32 = 1e-3;

/// The number of invalid rows, by kind of flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputRowFlaws {
    /// Rows with a NaN or an infinity.
    pub not_finite: usize,
    /// Finite rows that are not probabilities although the model should return probabilities.
    pub not_probabilities: usize,
}

impl OutputRowFlaws {
    /// Counts the invalid rows of `output`, with `row_len` values each. With `probabilities`, each
    /// row must consist of probabilities.
    #[must_use]
    pub fn of(output: &[f32], row_len: usize, probabilities: bool) -> Self {
        let mut found = Self::default();
        // Almost always everything is finite: one pass without branches, which the compiler
        // vectorises.
        if !probabilities && all_finite(output) {
            return found;
        }
        for row in output.chunks_exact(row_len.max(1)) {
            if !all_finite(row) {
                found.not_finite += 1;
            } else if probabilities && !are_probabilities(row) {
                found.not_probabilities += 1;
            }
        }
        found
    }

    /// Whether every row is valid.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl AddAssign for OutputRowFlaws {
    fn add_assign(&mut self, other: Self) {
        self.not_finite += other.not_finite;
        self.not_probabilities += other.not_probabilities;
    }
}

/// Whether each value is in [0, 1] and their sum is 1, within [`PROBABILITY_TOLERANCE`]. A row with
/// a value that is not finite is not.
#[must_use]
pub fn are_probabilities(row: &[f32]) -> bool {
    let range = -PROBABILITY_TOLERANCE..=1.0 + PROBABILITY_TOLERANCE;
    let sum: f32 = row.iter().sum();
    row.iter().all(|value| range.contains(value)) && (sum - 1.0).abs() <= PROBABILITY_TOLERANCE
}

fn all_finite(values: &[f32]) -> bool {
    values.iter().fold(true, |finite, value| finite & value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_by_flaw() {
        let output = [0.5, 0.5, f32::NAN, 1.0, 0.25, 0.25, f32::INFINITY, 0.0, 1.5, -0.5];
        let as_logits = OutputRowFlaws::of(&output, 2, false);
        assert_eq!((as_logits.not_finite, as_logits.not_probabilities), (2, 0));
        let as_probabilities = OutputRowFlaws::of(&output, 2, true);
        assert_eq!(
            (as_probabilities.not_finite, as_probabilities.not_probabilities),
            (2, 2)
        );
        assert!(OutputRowFlaws::of(&output[..2], 2, true).is_empty() && !as_logits.is_empty());
    }

    #[test]
    fn probabilities_are_in_range_and_sum_to_one() {
        for row in [&[1.0, 0.0][..], &[0.3, 0.3, 0.4], &[0.9995, 0.0]] {
            assert!(are_probabilities(row), "{row:?}");
        }
        // A softmax over two rows; a value above 1 in a row with sum 1; values that are not finite.
        for row in [
            &[0.3, 0.2][..],
            &[1.5, -0.5],
            &[f32::NAN, 1.0],
            &[f32::INFINITY, 0.0],
            &[],
        ] {
            assert!(!are_probabilities(row), "{row:?}");
        }
    }
}
