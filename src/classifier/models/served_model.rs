//! The properties of a loaded model, and how the robust model is evaluated.

use super::model_summary::ModelSummary;
use crate::classifier::smoothing::smoother::Smoother;
use crate::domain::{Basis, ModelGuarantee};
use crate::onnx::{Manifest, OutputKind};

/// The properties of one of the two loaded models.
pub(in crate::classifier) struct ServedModel {
    pub(in crate::classifier) output_kind: OutputKind,
    pub(in crate::classifier) guarantee: ModelGuarantee,
    pub(in crate::classifier) summary: ModelSummary,
}

impl ServedModel {
    pub(super) fn new(manifest: &Manifest, summary: ModelSummary) -> Self {
        Self {
            output_kind: manifest.output_kind,
            guarantee: manifest.guarantee.clone(),
            summary,
        }
    }

    /// Returns whether the guarantee is proven or claimed. A model without a guarantee counts as
    /// claimed.
    pub(super) fn basis(&self) -> Basis {
        let guarantee = self.summary.guarantee_basis.as_ref();
        guarantee.map_or(Basis::Claimed, |guarantee| guarantee.basis)
    }
}

/// How the robust model is evaluated on one input.
pub(in crate::classifier) enum RobustInference {
    /// The model runs one row.
    OneRow,
    /// The model is smoothed: it votes on many noisy rows.
    Votes(Box<Smoother>),
}
