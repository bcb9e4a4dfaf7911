//! What a mixed classifier is made of.

use super::ModelSummary;
use super::smoother::Smoother;
use crate::domain::Guarantee;
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
}

/// How the robust model answers.
pub(super) enum Robust {
    /// By one row.
    OneRow,
    /// By votes.
    Smoothed(Box<Smoother>),
}
