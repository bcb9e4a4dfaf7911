//! The class of the mixture without a certificate, where the votes settle it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::certificate::bounds::anytime;
use crate::certificate::error::CertificateError;
use crate::certificate::mixture::argmax;
use crate::certificate::parameters::alpha::Alpha;
use crate::certificate::parameters::failure_probability::FailureProbability;

/// The probability that votes ever settle on a class that is not that of the exact mixture.
const WRONG_CLASS_RATE: f64 = 0.01;

/// The class of the mixture `(1 - alpha) g + alpha h`, if the votes separate it from every other
/// class; `None` otherwise.
///
/// `standard_log_probs` is `ln g` and `counts` the votes for each class, K values each, among
/// `votes` votes. Each class has an anytime interval at 1/K of [`WRONG_CLASS_RATE`], so all of them
/// hold at once and at every number of votes. Hence answers that settle differ in their class with
/// at most twice that probability, whenever each of them stopped. This is no certificate: it says
/// nothing about other inputs.
///
/// # Errors
/// [`CertificateError`] for contradictory counts.
pub fn settled_class(
    alpha: Alpha,
    standard_log_probs: &[f64],
    counts: &[u64],
    votes: u64,
) -> Result<Option<usize>, CertificateError> {
    if counts.is_empty() {
        return Ok(None);
    }
    #[expect(clippy::cast_precision_loss, reason = "the number of classes stays far below 2^53")]
    let level = FailureProbability::new(WRONG_CLASS_RATE / counts.len() as f64)?;
    let weight = alpha.get();
    let from_standard = |class: usize| {
        let log_prob = standard_log_probs.get(class).copied().unwrap_or(f64::NEG_INFINITY);
        (1.0 - weight) * libm::exp(log_prob)
    };
    #[expect(clippy::cast_precision_loss, reason = "votes stay far below 2^53")]
    let estimate = |(class, &count): (usize, &u64)| {
        let share = if votes == 0 { 0.0 } else { count as f64 / votes as f64 };
        from_standard(class) + weight * share
    };
    let estimates: Vec<f64> = counts.iter().enumerate().map(estimate).collect();
    let Some(first) = argmax(&estimates) else {
        return Ok(None);
    };
    let at_least = from_standard(first) + weight * anytime::lower(counts[first], votes, level)?.value();
    // Classes with the same count share a bound; most classes have no vote.
    let mut bounds: BTreeMap<u64, f64> = BTreeMap::new();
    for (class, &count) in counts.iter().enumerate().filter(|&(class, _)| class != first) {
        let bound = match bounds.get(&count) {
            Some(&known) => known,
            None => {
                let bound = anytime::upper(count, votes, level)?.value();
                bounds.insert(count, bound);
                bound
            }
        };
        let at_most = from_standard(class) + weight * bound;
        // A value that is not a number separates nothing.
        if at_least.partial_cmp(&at_most) != Some(Ordering::Greater) {
            return Ok(None);
        }
    }
    Ok(Some(first))
}
