//! The counts of one setting over the records of a file.

use std::collections::BTreeMap;

use super::radius_grid::RadiusGrid;
use super::setting::Setting;
use crate::classifier::RecomputedAnswer;
use crate::domain::CertificateStatus;

/// The counts of one setting over the records of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingSummary {
    /// The setting.
    pub setting: Setting,
    /// All inputs.
    pub inputs: u64,
    /// Inputs with a label.
    pub labelled: u64,
    /// Inputs whose class is their label.
    pub right: u64,
    /// Inputs whose class is that of the standard model alone.
    pub standard_agreements: u64,
    /// Certified inputs.
    pub certified: u64,
    /// Certified inputs whose class is their label.
    pub right_certified: u64,
    /// Certified inputs with another class than their label. A certificate promises that the answer
    /// is stable, and not that it is right.
    pub wrong_certified: u64,
    /// Inputs that this setting could certify, and whose outputs prove nothing.
    pub abstained: u64,
    /// Inputs without a certificate because this setting certifies nothing.
    pub unavailable: u64,
    /// Inputs for which the vote rule would draw more votes than were recorded.
    pub unfinished: u64,
    /// Certified inputs with at least each radius of the grid.
    pub certified_at: Vec<u64>,
    /// The right ones among them.
    pub right_certified_at: Vec<u64>,
    /// The wrong ones among them.
    pub wrong_certified_at: Vec<u64>,
    /// The counts of each class, by the label of the input.
    pub classes: Vec<ClassCounts>,
    /// The number of inputs for each number of votes; empty without votes. Votes of both kinds count.
    pub votes: BTreeMap<u64, u64>,
}

/// The counts of the inputs with one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassCounts {
    /// All inputs with this label.
    pub inputs: u64,
    /// Those that are answered with this label.
    pub right: u64,
    /// Those that are right and certified.
    pub right_certified: u64,
}

impl SettingSummary {
    /// A summary without inputs, for `classes` classes and a grid of `radii` radii.
    pub(super) fn empty(setting: Setting, classes: usize, radii: usize) -> Self {
        Self {
            setting,
            inputs: 0,
            labelled: 0,
            right: 0,
            standard_agreements: 0,
            certified: 0,
            right_certified: 0,
            wrong_certified: 0,
            abstained: 0,
            unavailable: 0,
            unfinished: 0,
            certified_at: vec![0; radii],
            right_certified_at: vec![0; radii],
            wrong_certified_at: vec![0; radii],
            classes: vec![ClassCounts::default(); classes],
            votes: BTreeMap::new(),
        }
    }

    /// The share of right answers among the labelled inputs; 0 without labels.
    #[must_use]
    pub fn clean_accuracy(&self) -> f64 {
        share(self.right, self.labelled)
    }

    /// The mean number of votes for one answer; 0 without votes.
    #[must_use]
    pub fn mean_votes(&self) -> f64 {
        let total = self.votes.iter().map(|(votes, inputs)| votes * inputs).sum();
        share(total, self.votes.values().sum())
    }

    /// The smallest number of votes that suffices for the share `quantile` of the answers; 0 without
    /// votes.
    #[must_use]
    pub fn votes_quantile(&self, quantile: f64) -> u64 {
        let answers: u64 = self.votes.values().sum();
        #[expect(clippy::cast_precision_loss, reason = "inputs stay far below 2^53")]
        let needed = quantile * answers as f64;
        let mut covered = 0;
        for (&votes, &inputs) in &self.votes {
            covered += inputs;
            #[expect(clippy::cast_precision_loss, reason = "inputs stay far below 2^53")]
            let is_enough = covered as f64 >= needed;
            if is_enough {
                return votes;
            }
        }
        0
    }

    /// Adds the counts of `other`, which is about other inputs and the same setting.
    pub(super) fn merge(&mut self, other: &Self) {
        self.inputs += other.inputs;
        self.labelled += other.labelled;
        self.right += other.right;
        self.standard_agreements += other.standard_agreements;
        self.certified += other.certified;
        self.right_certified += other.right_certified;
        self.wrong_certified += other.wrong_certified;
        self.abstained += other.abstained;
        self.unavailable += other.unavailable;
        self.unfinished += other.unfinished;
        let pairs = [
            (&mut self.certified_at, &other.certified_at),
            (&mut self.right_certified_at, &other.right_certified_at),
            (&mut self.wrong_certified_at, &other.wrong_certified_at),
        ];
        for (counts, others) in pairs {
            counts.iter_mut().zip(others).for_each(|(count, other)| *count += other);
        }
        for (class, other) in self.classes.iter_mut().zip(&other.classes) {
            class.inputs += other.inputs;
            class.right += other.right;
            class.right_certified += other.right_certified;
        }
        for (&votes, inputs) in &other.votes {
            *self.votes.entry(votes).or_default() += inputs;
        }
    }
}

/// `part / whole`; 0 for an empty whole.
#[expect(clippy::cast_precision_loss, reason = "the counts stay far below 2^53")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Counts answers for one setting. The counts by radius are kept by interval until the end, so that
/// an answer costs the same for every grid.
pub(super) struct SummaryCounter {
    summary: SettingSummary,
    certified: Vec<u64>,
    right: Vec<u64>,
    wrong: Vec<u64>,
}

/// The input of an answer.
#[derive(Clone, Copy)]
pub(super) struct AnsweredInput {
    pub(super) label: Option<usize>,
    pub(super) standard_class: usize,
}

impl SummaryCounter {
    pub(super) fn new(setting: Setting, classes: usize, grid: &RadiusGrid) -> Self {
        let radii = grid.radii().len();
        Self {
            summary: SettingSummary::empty(setting, classes, radii),
            certified: vec![0; radii + 1],
            right: vec![0; radii + 1],
            wrong: vec![0; radii + 1],
        }
    }

    /// Counts one answer. `reached` is the number of grid radii that its radius covers.
    pub(super) fn add(&mut self, input: AnsweredInput, answer: &RecomputedAnswer, reached: usize) {
        let summary = &mut self.summary;
        let is_certified = answer.status == CertificateStatus::Certified;
        summary.inputs += 1;
        summary.standard_agreements += u64::from(answer.class == input.standard_class);
        match answer.status {
            CertificateStatus::Certified => summary.certified += 1,
            CertificateStatus::Abstained => summary.abstained += 1,
            CertificateStatus::Unavailable => summary.unavailable += 1,
        }
        summary.unfinished += u64::from(answer.unfinished);
        if answer.votes > 0 {
            *summary.votes.entry(answer.votes).or_default() += 1;
        }
        if is_certified && let Some(count) = self.certified.get_mut(reached) {
            *count += 1;
        }
        let Some(label) = input.label else { return };
        let is_right = answer.class == label;
        summary.labelled += 1;
        summary.right += u64::from(is_right);
        if let Some(class) = summary.classes.get_mut(label) {
            class.inputs += 1;
            class.right += u64::from(is_right);
            class.right_certified += u64::from(is_right && is_certified);
        }
        if is_certified {
            let (total, by_radius) = if is_right {
                (&mut summary.right_certified, &mut self.right)
            } else {
                (&mut summary.wrong_certified, &mut self.wrong)
            };
            *total += 1;
            if let Some(count) = by_radius.get_mut(reached) {
                *count += 1;
            }
        }
    }

    /// The summary of the answers so far.
    pub(super) fn finish(mut self) -> SettingSummary {
        self.summary.certified_at = at_least(&self.certified);
        self.summary.right_certified_at = at_least(&self.right);
        self.summary.wrong_certified_at = at_least(&self.wrong);
        self.summary
    }
}

/// For each grid radius, the answers whose radius covers it, from the answers that cover exactly 0,
/// 1, 2, … grid radii.
fn at_least(exactly: &[u64]) -> Vec<u64> {
    let mut covering: Vec<u64> = exactly
        .iter()
        .rev()
        .scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        })
        .collect();
    covering.pop();
    covering.reverse();
    covering
}
