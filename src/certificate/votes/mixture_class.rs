//! The class of the mixture without a certificate, where the votes settle it.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter::repeat;

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
    Ok(ClassIntervals::new(standard_log_probs, counts, votes)?.settled_class(weights))
}

/// The row of g and the votes of one input, with an interval for each entry of h.
///
/// The intervals do not depend on the weights, so an evaluation of many mixtures computes them once.
#[derive(Debug, Clone)]
pub struct ClassIntervals {
    /// `g`, one probability for each class with votes.
    standard: Vec<f64>,
    counts: Vec<u64>,
    votes: u64,
    intervals: Vec<Interval>,
}

/// The classes that may exceed every other class by the margin that an alpha needs, for some h within
/// the intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarginReach {
    /// No class may. The mixture with the weight `fallback_alpha` answers.
    Never,
    /// This class does, for every h within the intervals.
    Surely(usize),
    /// This class alone may.
    Perhaps(usize),
    /// Several may, so no class is settled.
    Several,
}

impl ClassIntervals {
    /// The intervals for `ln g` and the votes in `counts`, one for each class, among `votes` votes.
    ///
    /// # Errors
    /// [`CertificateError`] for contradictory counts.
    pub fn new(standard_log_probs: &[f64], counts: &[u64], votes: u64) -> Result<Self, CertificateError> {
        let intervals = if counts.is_empty() {
            Vec::new()
        } else {
            intervals(counts, votes)?
        };
        let log_probs = standard_log_probs.iter().copied().chain(repeat(f64::NEG_INFINITY));
        Ok(Self {
            standard: log_probs.take(counts.len()).map(libm::exp).collect(),
            counts: counts.to_vec(),
            votes,
            intervals,
        })
    }

    /// The result of [`settled_class`] for these votes.
    #[must_use]
    pub fn settled_class(&self, weights: MixingWeights) -> Option<usize> {
        self.settled_class_within(|| self.margin_reach(weights.alpha()), weights)
    }

    /// The same, for weights whose alpha has the reach that `reach` returns. Constant weights need none.
    #[must_use]
    pub fn settled_class_within(&self, reach: impl FnOnce() -> MarginReach, weights: MixingWeights) -> Option<usize> {
        if weights.is_constant() {
            return self.class_at_weight(weights.alpha());
        }
        match reach() {
            MarginReach::Surely(class) => Some(class),
            MarginReach::Several => None,
            MarginReach::Never => self.class_at_weight(weights.fallback_alpha()),
            MarginReach::Perhaps(class) => self
                .class_at_weight(weights.fallback_alpha())
                .filter(|&fallback| fallback == class),
        }
    }

    /// The classes that may reach the margin that `alpha` needs.
    #[must_use]
    pub fn margin_reach(&self, alpha: Alpha) -> MarginReach {
        let (margin, intervals) = (alpha.margin_needed(), &self.intervals[..]);
        let mut reaching = (0..intervals.len()).filter(|&class| may_reach(class, margin, intervals));
        match (reaching.next(), reaching.next()) {
            (None, _) => MarginReach::Never,
            (Some(class), None) if surely_reaches(class, margin, intervals) => MarginReach::Surely(class),
            (Some(class), None) => MarginReach::Perhaps(class),
            (Some(_), Some(_)) => MarginReach::Several,
        }
    }

    /// The class of the mixture with one `weight` of h for every h within the intervals; `None` if it
    /// is not the same for all of them.
    fn class_at_weight(&self, weight: Alpha) -> Option<usize> {
        let weight = weight.get();
        let from_standard = |standard: &f64| (1.0 - weight) * standard;
        #[expect(clippy::cast_precision_loss, reason = "votes stay far below 2^53")]
        let estimate = |(standard, &count): (&f64, &u64)| {
            let share = match self.votes {
                0 => 0.0,
                votes => count as f64 / votes as f64,
            };
            from_standard(standard) + weight * share
        };
        let estimates: Vec<f64> = self.standard.iter().zip(&self.counts).map(estimate).collect();
        let first = argmax(&estimates)?;
        let at_least = from_standard(self.standard.get(first)?) + weight * self.intervals.get(first)?.lower;
        let is_separated = |(class, (standard, interval)): (usize, (&f64, &Interval))| {
            let at_most = from_standard(standard) + weight * interval.upper;
            // A value that is not a number separates nothing.
            class == first || at_least.partial_cmp(&at_most) == Some(Ordering::Greater)
        };
        let mut classes = self.standard.iter().zip(&self.intervals).enumerate();
        classes.all(is_separated).then_some(first)
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

/// Whether `class` may exceed every other class by `margin` for some h within the intervals.
fn may_reach(class: usize, margin: f64, intervals: &[Interval]) -> bool {
    let others = largest_other(class, intervals, |interval| interval.lower);
    // A value that is not a number excludes nothing.
    (intervals[class].upper - others).partial_cmp(&margin) != Some(Ordering::Less)
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
