//! What a mixed classifier is made of.

use super::ModelSummary;
use crate::classifier::smoothing::smoother::Smoother;
use crate::domain::{Basis, Guarantee};
use crate::onnx::{Manifest, OutputKind};

/// What is known of one of the two models.
pub(in crate::classifier) struct ServedModel {
    pub(in crate::classifier) output_kind: OutputKind,
    pub(in crate::classifier) guarantee: Guarantee,
    pub(in crate::classifier) summary: ModelSummary,
}

impl ServedModel {
    pub(in crate::classifier) fn new(manifest: &Manifest, summary: ModelSummary) -> Self {
        Self {
            output_kind: manifest.output_kind,
            guarantee: manifest.guarantee.clone(),
            summary,
        }
    }

    /// What its guarantee rests on; of what guarantees nothing, a claim.
    pub(in crate::classifier) fn basis(&self) -> Basis {
        let grounds = self.summary.grounds.as_ref();
        grounds.map_or(Basis::Claimed, |grounds| grounds.basis)
    }
}

/// How the robust model answers.
pub(in crate::classifier) enum RobustInference {
    /// By one row.
    OneRow,
    /// By votes.
    Smoothed(Box<Smoother>),
}
