//! The TOML format of a manifest, before its values are checked.
//!
//! `docs/reference/manifests.md` documents every field; a test compares the two.

use serde::Deserialize;

use crate::domain::Norm;

/// The meaning of a model's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// Logits: the values before the softmax.
    Logits,
    /// Probabilities: the values after the softmax.
    Probabilities,
}

/// A manifest file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawManifest {
    pub(super) manifest_version: u32,
    pub(super) name: String,
    pub(super) file: String,
    pub(super) sha256: String,
    pub(super) labels: Vec<String>,
    pub(super) input: RawInput,
    pub(super) output: RawOutput,
    pub(super) guarantee: RawGuarantee,
}

/// `[input]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInput {
    pub(super) name: String,
    pub(super) dtype: String,
    pub(super) shape: Vec<usize>,
    pub(super) range: [f64; 2],
    pub(super) transpose: Option<Vec<usize>>,
    pub(super) onnx_range: Option<[f64; 2]>,
}

/// `[output]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOutput {
    pub(super) name: String,
    pub(super) kind: OutputKind,
}

/// `[guarantee]`
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum RawGuarantee {
    None {
        source: String,
    },
    LipschitzProbabilities {
        norm: RawNorm,
        constants: Vec<f64>,
        neighbourhood: Option<f64>,
        probability_error_bound: f64,
        basis: Option<RawBasis>,
        source: String,
    },
    LipschitzLogits {
        norm: RawNorm,
        constant: f64,
        constant_of: RawConstantOf,
        logit_error_bound: f64,
        basis: Option<RawBasis>,
        source: String,
    },
    GaussianSmoothing {
        norm: RawNorm,
        sigma: f64,
        levels: u32,
        source: String,
    },
}

impl RawGuarantee {
    /// The stated basis.
    pub(super) fn basis(&self) -> Option<RawBasis> {
        match self {
            Self::LipschitzProbabilities { basis, .. } | Self::LipschitzLogits { basis, .. } => *basis,
            Self::None { .. } | Self::GaussianSmoothing { .. } => None,
        }
    }
}

/// `guarantee.norm`
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawNorm {
    L1,
    L2,
    Linf,
}

/// `guarantee.constant_of`
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawConstantOf {
    LogitVector,
    EachLogit,
}

/// `guarantee.basis`. Only a proof record makes a guarantee proven, so a manifest cannot state that.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawBasis {
    Claimed,
}

impl From<RawNorm> for Norm {
    fn from(raw: RawNorm) -> Self {
        match raw {
            RawNorm::L1 => Self::L1,
            RawNorm::L2 => Self::L2,
            RawNorm::Linf => Self::Linf,
        }
    }
}
