//! The class of the mixture without a certificate, where the votes settle it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::certificate::bounds::anytime;
use crate::certificate::error::CertificateError;
use crate::certificate::mixing_weights::MixingWeights;
use crate::certificate::mixture::argmax;
use crate::certificate::numerics::nan_safe::at_least;
use crate::certificate::parameters::alpha::Alpha;
use crate::certificate::parameters::failure_probability::FailureProbability;

/// The probability that votes ever settle on a class that is not that of the exact mixture.
const WRONG_CLASS_RATE: f64 = 0.01;

/// The class of the gated mixture of g and the exact h, if the votes separate it from every other
/// class; `None` otherwise.
///
/// `standard_log_probs` is `ln g` and `counts` the votes for each class, K values each, among
/// `votes` votes. Each class has an anytime interval at 1/K of [`WRONG_CLASS_RATE`], so all of them
/// hold at once and at every number of votes. The class is settled if it is the same for every h
/// within the intervals: where the margin of h may reach `mu`, the mixture answers the largest entry
/// of h (Lemma 1); where it may not, the mixture with the weight `fallback_alpha` answers. Hence
/// answers that settle differ in their class with at most twice that probability, whenever each of
/// them stopped. This is no certificate: it says nothing about other inputs.
///
/// # Errors
/// [`CertificateError`] for contradictory counts.
pub fn settled_class(
    weights: MixingWeights,
    standard_log_probs: &[f64],
    counts: &[u64],
    votes: u64,
) -> Result<Option<usize>, CertificateError> {
    Ok(ClassIntervals::new(counts, votes)?.settled_class(weights, standard_log_probs))
}

/// The votes of one input, with an interval for each entry of h.
///
/// The intervals do not depend on the weights, so an evaluation of many mixtures computes them once.
#[derive(Debug, Clone)]
pub struct ClassIntervals {
    counts: Vec<u64>,
    votes: u64,
    intervals: Vec<Interval>,
}

impl ClassIntervals {
    /// The intervals for the votes in `counts`, one count for each class, among `votes` votes.
    ///
    /// # Errors
    /// [`CertificateError`] for contradictory counts.
    pub fn new(counts: &[u64], votes: u64) -> Result<Self, CertificateError> {
        let intervals = if counts.is_empty() {
            Vec::new()
        } else {
            intervals(counts, votes)?
        };
        Ok(Self {
            counts: counts.to_vec(),
            votes,
            intervals,
        })
    }

    /// The result of [`settled_class`] for these votes.
    #[must_use]
    pub fn settled_class(&self, weights: MixingWeights, standard_log_probs: &[f64]) -> Option<usize> {
        let intervals = &self.intervals[..];
        let at_weight = |weight| class_at_weight(weight, standard_log_probs, &self.counts, self.votes, intervals);
        if weights.is_constant() {
            return at_weight(weights.alpha());
        }
        let margin_needed = weights.alpha().margin_needed();
        let reaching = classes_that_may_reach(margin_needed, intervals);
        if let [class] = reaching[..]
            && surely_reaches(class, margin_needed, intervals)
        {
            return Some(class);
        }
        let fallback_class = at_weight(weights.fallback_alpha());
        fallback_class.filter(|&fallback| reaching.iter().all(|&class| class == fallback))
    }
}

/// The interval of one entry of h.
#[derive(Debug, Clone, Copy)]
struct Interval {
    lower: f64,
    upper: f64,
}

/// One interval for each class.
fn intervals(counts: &[u64], votes: u64) -> Result<Vec<Interval>, CertificateError> {
    #[expect(clippy::cast_precision_loss, reason = "the number of classes stays far below 2^53")]
    let level = FailureProbability::new(WRONG_CLASS_RATE / counts.len() as f64)?;
    // Classes with the same count share their bounds; most classes have no vote.
    let mut known: BTreeMap<u64, Interval> = BTreeMap::new();
    counts
        .iter()
        .map(|&count| {
            if let Some(&interval) = known.get(&count) {
                return Ok(interval);
            }
            let interval = Interval {
                lower: anytime::lower(count, votes, level)?.value(),
                upper: anytime::upper(count, votes, level)?.value(),
            };
            known.insert(count, interval);
            Ok(interval)
        })
        .collect()
}

/// The classes that may exceed every other class by `margin` for some h within the intervals.
fn classes_that_may_reach(margin: f64, intervals: &[Interval]) -> Vec<usize> {
    let may_reach = |&class: &usize| {
        let others = largest_other(class, intervals, |interval| interval.lower);
        // A value that is not a number excludes nothing.
        (intervals[class].upper - others).partial_cmp(&margin) != Some(Ordering::Less)
    };
    (0..intervals.len()).filter(may_reach).collect()
}

/// Whether `class` exceeds every other class by `margin` for every h within the intervals.
fn surely_reaches(class: usize, margin: f64, intervals: &[Interval]) -> bool {
    let others = largest_other(class, intervals, |interval| interval.upper);
    intervals[class].lower - others >= margin
}

fn largest_other(class: usize, intervals: &[Interval], value: impl Fn(&Interval) -> f64) -> f64 {
    let others = intervals.iter().enumerate().filter(|&(other, _)| other != class);
    others.fold(0.0, |largest, (_, interval)| at_least(value(interval), largest))
}

/// The class of the mixture with one `weight` of h for every h within the intervals; `None` if it
/// is not the same for all of them.
fn class_at_weight(
    weight: Alpha,
    standard_log_probs: &[f64],
    counts: &[u64],
    votes: u64,
    intervals: &[Interval],
) -> Option<usize> {
    let weight = weight.get();
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
    let first = argmax(&estimates)?;
    let at_least = from_standard(first) + weight * intervals.get(first)?.lower;
    let is_separated = |(class, interval): (usize, &Interval)| {
        let at_most = from_standard(class) + weight * interval.upper;
        // A value that is not a number separates nothing.
        class == first || at_least.partial_cmp(&at_most) == Some(Ordering::Greater)
    };
    intervals.iter().enumerate().all(is_separated).then_some(first)
}
