//! The description of one of the two models.

use crate::domain::{JustifiedBasis, ModelGuarantee};
use crate::onnx::{Model, OutputKind};

/// The description of one of the two models, for operators and for GetModelInfo.
#[derive(Debug, Clone)]
pub struct ModelSummary {
    /// The name in its manifest.
    pub name: String,
    /// The SHA-256 of its ONNX file, hexadecimal.
    pub sha256: String,
    /// The execution provider: "cpu" or "cuda".
    pub provider: &'static str,
    /// The reason why the provider is not the first choice of "auto"; empty otherwise.
    pub provider_note: String,
    /// The meaning of its rows.
    pub output_kind: OutputKind,
    /// The guarantee, with its numbers.
    pub guarantee: ModelGuarantee,
    /// The source of the proof.
    pub guarantee_source: String,
    /// Whether the guarantee is proven or claimed, and why; `None` without a guarantee.
    pub guarantee_basis: Option<JustifiedBasis>,
    /// The number of sessions. Each has its own thread.
    pub sessions: usize,
    /// The most rows in one run.
    pub max_batch_size: usize,
    /// The reason why the model runs one row at a time, regardless of the configured batch size;
    /// `None` if it does not have to.
    pub one_row_reason: Option<String>,
}

impl ModelSummary {
    pub(super) fn new(
        model: &Model,
        guarantee_basis: Option<JustifiedBasis>,
        sessions: usize,
        max_batch_size: usize,
        one_row_reason: Option<String>,
    ) -> Self {
        let manifest = &model.manifest;
        Self {
            name: manifest.name.clone(),
            sha256: manifest.sha256.clone(),
            provider: model.provider.name,
            provider_note: model.provider.note.clone(),
            output_kind: manifest.output_kind,
            guarantee: manifest.guarantee.clone(),
            guarantee_source: manifest.guarantee_source.clone(),
            guarantee_basis,
            sessions,
            max_batch_size,
            one_row_reason,
        }
    }
}
