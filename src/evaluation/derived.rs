//! Numbers that follow from one record without any setting. They are for readers of the file: no
//! certificate is computed from them.

use super::record::{EvaluationHeader, EvaluationRecord};
use crate::certificate::{Tally, Temperature, argmax, log_probabilities, log_softmax, probability_margin};
use crate::classifier::VoteCounts;
use crate::domain::RobustOutput;
use crate::onnx::OutputKind;

/// The class and the margin of both models.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Derived {
    /// The class of `g`; `None` for a row without a number.
    pub(super) standard_class: Option<u32>,
    /// `g_y - max_{i != y} g_i` of the probabilities, at temperature 1.
    pub(super) standard_margin: f64,
    /// The class of `h`; for a smoothed model, the class that the selection votes chose.
    pub(super) robust_class: Option<u32>,
    /// `h_y - max_{i != y} h_i` of the probabilities, at temperature 1; for a smoothed model, of the
    /// shares of the estimation votes. It is negative where the votes prefer another class.
    pub(super) robust_margin: f64,
    /// The estimation votes for that class; empty for a row.
    pub(super) tally: Tally,
}

impl Derived {
    /// Computes the numbers of `record`.
    pub(super) fn new(header: &EvaluationHeader, record: &EvaluationRecord) -> Self {
        let (standard_class, standard_margin) = of_row(header.models.standard.output_kind, &record.standard);
        let (robust_class, robust_margin, tally) = match &record.robust {
            RobustOutput::Row(row) => {
                let (class, margin) = of_row(header.models.robust.output_kind, row);
                (class, margin, Tally::default())
            }
            RobustOutput::Votes(votes) => {
                let selection_votes = header.sampling.as_ref().map_or(0, |sampling| sampling.selection_votes);
                of_votes(header.labels.len(), selection_votes, votes)
            }
        };
        Self {
            standard_class,
            standard_margin,
            robust_class,
            robust_margin,
            tally,
        }
    }
}

fn of_row(kind: OutputKind, row: &[f32]) -> (Option<u32>, f64) {
    let log_probs = match kind {
        OutputKind::Logits => log_softmax(row, Temperature::ONE),
        OutputKind::Probabilities => log_probabilities(row),
    };
    let class = argmax(&log_probs);
    (
        class.and_then(|class| u32::try_from(class).ok()),
        probability_margin(&log_probs),
    )
}

fn of_votes(classes: usize, selection_votes: u64, votes: &[Option<u32>]) -> (Option<u32>, f64, Tally) {
    let mut counts = VoteCounts::new(classes, selection_votes);
    for vote in votes {
        counts.add(vote.and_then(|class| usize::try_from(class).ok()));
    }
    let Some(class) = counts.selected_class() else {
        return (None, 0.0, Tally::default());
    };
    let tally = counts.estimation_tally(class);
    #[expect(clippy::cast_precision_loss, reason = "votes stay far below 2^53")]
    let margin = (tally.votes_for_class as f64 - tally.votes_for_runner_up as f64) / tally.votes.max(1) as f64;
    (u32::try_from(class).ok(), margin, tally)
}
