//! What a mixed classifier is made of.

use super::ModelSummary;
use super::smoother::Smoother;
use crate::domain::{Basis, Guarantee};
use crate::onnx::{Manifest, OutputKind};

/// What is known of one of the two models.
pub(super) struct Side {
    pub(super) output_kind: OutputKind,
    pub(super) guarantee: Guarantee,
    pub(super) summary: ModelSummary,
}

impl Side {
    pub(super) fn new(manifest: &Manifest, summary: ModelSummary) -> Self {
        Self {
            output_kind: manifest.output_kind,
            guarantee: manifest.guarantee.clone(),
            summary,
        }
    }

    /// What its guarantee rests on; of what guarantees nothing, a claim.
    pub(super) fn basis(&self) -> Basis {
        let grounds = self.summary.grounds.as_ref();
        grounds.map_or(Basis::Claimed, |grounds| grounds.basis)
    }
}

/// How the robust model answers.
pub(super) enum Robust {
    /// By one row.
    OneRow,
    /// By votes.
    Smoothed(Box<Smoother>),
}
