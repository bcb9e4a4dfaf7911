//! What a mixed classifier is made of.

use super::ModelSummary;
use super::smoother::Smoother;
use crate::domain::Guarantee;
use crate::onnx::OutputKind;
use crate::scheduler::Scheduler;

/// One of the two models, running.
pub(super) struct Side {
    pub(super) scheduler: Scheduler,
    pub(super) output_kind: OutputKind,
    pub(super) guarantee: Guarantee,
    pub(super) summary: ModelSummary,
}

/// How the robust model answers.
pub(super) enum Robust {
    /// By one row.
    OneRow(Guarantee),
    /// By votes.
    Smoothed(Box<Smoother>),
}
