//! The same inputs under two settings.

use super::intervals::{Interval, difference_interval, mcnemar_p_value};
use crate::certificate::{CertificateError, FailureProbability};
use crate::classifier::RecomputedAnswer;
use crate::domain::CertificateStatus;
use crate::evaluation::record::EvaluationRecord;

/// The inputs that a change of the setting mends and breaks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedChange {
    /// Inputs that were not good before, and are after.
    pub gained: u64,
    /// Inputs that were good before, and are not after.
    pub lost: u64,
    /// All inputs.
    pub inputs: u64,
    /// The interval of the difference of the two shares.
    pub interval: Interval,
    /// The p-value of McNemar's exact test: small if gains and losses differ by more than chance.
    pub p_value: f64,
}

impl PairedChange {
    /// The change of the observed share; 0 without inputs.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the counts stay far below 2^53")]
    pub fn difference(&self) -> f64 {
        if self.inputs == 0 {
            0.0
        } else {
            (self.gained as f64 - self.lost as f64) / self.inputs as f64
        }
    }

    fn of(
        pairs: impl Iterator<Item = (bool, bool)>,
        failure_probability: FailureProbability,
    ) -> Result<Self, CertificateError> {
        let (mut gained, mut lost, mut inputs) = (0, 0, 0);
        for (before, after) in pairs {
            gained += u64::from(after && !before);
            lost += u64::from(before && !after);
            inputs += 1;
        }
        Ok(Self {
            gained,
            lost,
            inputs,
            interval: difference_interval(gained, lost, inputs, failure_probability)?,
            p_value: mcnemar_p_value(gained, lost),
        })
    }
}

/// The change from one setting to another, over the labelled inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Right answers.
    pub right: PairedChange,
    /// Right answers that are certified at the radius of the objective.
    pub certified: PairedChange,
}

impl Comparison {
    /// Compares the answers `before` and `after` for `records`. Each interval misses with at most
    /// `failure_probability`.
    ///
    /// # Errors
    /// None is expected.
    pub(super) fn new(
        records: &[&EvaluationRecord],
        before: &[RecomputedAnswer],
        after: &[RecomputedAnswer],
        radius: Option<f64>,
        failure_probability: FailureProbability,
    ) -> Result<Self, CertificateError> {
        let answers = || {
            let pairs = records.iter().zip(before.iter().zip(after));
            pairs.filter_map(|(record, pair)| Some((usize::try_from(record.label?).ok()?, pair)))
        };
        let is_certified = |label, answer: &RecomputedAnswer| {
            answer.class == label
                && answer.status == CertificateStatus::Certified
                && radius.is_none_or(|radius| answer.radius >= radius)
        };
        let right = answers().map(|(label, (before, after))| (before.class == label, after.class == label));
        let certified =
            answers().map(|(label, (before, after))| (is_certified(label, before), is_certified(label, after)));
        Ok(Self {
            right: PairedChange::of(right, failure_probability)?,
            certified: PairedChange::of(certified, failure_probability)?,
        })
    }
}
