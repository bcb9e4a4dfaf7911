//! Confidence intervals of the shares in the table of classes.

use std::collections::BTreeSet;

use super::data::MixtureResult;
use crate::certificate::{CertificateError, FailureProbability, clopper_pearson};

/// The probability that one interval does not hold the true share.
const FAILURE_PROBABILITY: f64 = 0.05;
/// One minus the failure probability, as text.
pub const CONFIDENCE_TEXT: &str = "95 %";

/// The exact two-sided interval (Clopper and Pearson) of each pair of counts of a class in
/// `mixtures`: count, total, lower bound, upper bound, sorted. Each interval holds by itself.
///
/// # Errors
/// If a count is larger than its total.
pub fn intervals_of(mixtures: &[MixtureResult]) -> Result<Vec<(u64, u64, f64, f64)>, CertificateError> {
    let side = FailureProbability::new(FAILURE_PROBABILITY)?.half();
    let pairs: BTreeSet<(u64, u64)> = mixtures
        .iter()
        .flat_map(|mixture| &mixture.classes)
        .flat_map(|counts| [(counts.1, counts.0), (counts.2, counts.0)])
        .collect();
    pairs
        .into_iter()
        .map(|(count, total)| {
            let lower = clopper_pearson::lower(count, total, side)?.value();
            let upper = clopper_pearson::upper(count, total, side)?.value();
            Ok((count, total, lower, upper))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::report::data::ClassCounts;
    use crate::evaluation::report::sample_mixture::mixture_with;

    #[test]
    fn intervals_are_those_of_clopper_and_pearson() {
        let mut mixture = mixture_with(8, vec![8]);
        mixture.classes = vec![ClassCounts(10, 8, 0), ClassCounts(0, 0, 0)];
        let found = intervals_of(&[mixture.clone(), mixture]).unwrap();
        // scipy.stats.binomtest(k, 10).proportion_ci(method="exact")
        let expected = [
            (0, 0, 0.0, 1.0),
            (0, 10, 0.0, 0.308_497_1),
            (8, 10, 0.443_904_5, 0.974_789_3),
        ];
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!((found.0, found.1), (expected.0, expected.1));
            assert!((found.2 - expected.2).abs() < 1e-6, "{found:?}");
            assert!((found.3 - expected.3).abs() < 1e-6, "{found:?}");
        }
    }
}
