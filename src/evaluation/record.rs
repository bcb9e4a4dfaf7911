//! The record of one evaluated input, and the header that all records of a file share.

use crate::certificate::{FailureProbability, RadiusMethod};
use crate::domain::{BoundKind, ComputeEnvironment, InputSpec, JustifiedBasis, ModelGuarantee, PerRole, RobustOutput};
use crate::onnx::OutputKind;
use crate::settings::{MixtureSettings, Settings};

/// The outputs of both models for one input of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationRecord {
    /// Names the input in its data set, such as `test.npz#17` or `cat/0001.png`; unique in a file.
    pub id: String,
    /// The position of the input in its data set, from 0. It is also the request number of the noise
    /// key under a secret, so each input has its own noise.
    pub index: u64,
    /// The class of the input, below the number of classes; `None` if the data set does not state it.
    pub label: Option<u32>,
    /// The row of the standard model as the model returns it (logits or probabilities), one value per
    /// class.
    pub standard: Vec<f32>,
    /// The output of the robust model.
    pub robust: RobustOutput,
    /// The key of the noise of its votes, if [`SamplingConditions::noise_secret`] does not derive it.
    pub noise_key: Option<[u8; 32]>,
    /// The deduction from the radius of a smoothed model because inputs move to its grid, in the units
    /// of the float input; 0 for a row.
    pub snapping_loss: f64,
    /// The time that the models spent on this input, in seconds of one processor; of a service, its
    /// share of the time of a request.
    pub seconds: f64,
}

/// What all records of a file have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationHeader {
    /// The data set.
    pub data_set: DataSetIdentity,
    /// Both models.
    pub models: PerRole<EvaluatedModel>,
    /// The name of each class.
    pub labels: Vec<String>,
    /// The input of both models.
    pub input: InputSpec,
    /// The guarantee of the robust model.
    pub guarantee: ModelGuarantee,
    /// Whether the guarantee is proven or claimed, and why; `None` without a guarantee.
    pub guarantee_basis: Option<JustifiedBasis>,
    /// A restriction of every certificate from these outputs, such as a model that is not a function
    /// of its input; empty if there is none.
    pub caveat: String,
    /// The conditions of the votes; `None` if the robust model is not smoothed.
    pub sampling: Option<SamplingConditions>,
    /// The settings that were in force.
    pub settings: EvaluationSettings,
    /// The batch sizes, ONNX Runtime and the processor.
    pub environment: ComputeEnvironment,
    /// The start of the evaluation, RFC 3339, UTC.
    pub created: String,
    /// The version of certimix.
    pub certimix_version: String,
}

/// Identifies a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSetIdentity {
    /// The path that the user gave.
    pub name: String,
    /// The SHA-256 of its contents, hexadecimal.
    pub sha256: String,
}

/// One of the two models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluatedModel {
    /// The name in its manifest.
    pub name: String,
    /// The SHA-256 of its ONNX file, hexadecimal.
    pub sha256: String,
    /// The meaning of its rows.
    pub output_kind: OutputKind,
}

/// The conditions under which votes were drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingConditions {
    /// The first votes of every input, which choose the class and the sides only.
    pub selection_votes: u64,
    /// The votes of every input after the selection votes.
    pub estimation_votes: u64,
    /// The total-variation distance between the drawn noise and the exact discretised Gaussian, over
    /// the whole input.
    pub total_variation: f64,
    /// The secret of the noise keys, drawn for this file alone. The key of an input is that of the
    /// request number [`EvaluationRecord::index`], so that the votes can be drawn again. `None` if
    /// services drew the votes: each record then has the key.
    pub noise_secret: Option<[u8; 32]>,
}

impl SamplingConditions {
    /// The votes of one input.
    #[must_use]
    pub fn votes(&self) -> u64 {
        self.selection_votes.saturating_add(self.estimation_votes)
    }

    /// The fewest inputs that draw at least `votes` votes together.
    #[must_use]
    pub fn inputs_for(&self, votes: u64) -> usize {
        usize::try_from(votes.div_ceil(self.votes().max(1))).unwrap_or(usize::MAX)
    }
}

/// The settings that were in force when the records were made. The records do not depend on them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvaluationSettings {
    /// The weights and the temperature.
    pub mixture: MixtureSettings,
    /// The formula from bounds to a radius, of a smoothed model.
    pub radius_method: RadiusMethod,
    /// The bound on a probability from votes.
    pub bound: BoundKind,
    /// The failure probability of a certificate.
    pub failure_probability: FailureProbability,
    /// The selection votes of Predict.
    pub selection_votes: u64,
    /// The most estimation votes of Predict.
    pub predict_votes: u64,
    /// The radius at which Predict stops drawing votes, before the cap; `None` to spend every vote.
    pub predict_target_radius: Option<f64>,
}

impl EvaluationSettings {
    /// What an evaluation depends on in `settings`.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let certificate = &settings.certificate;
        Self {
            mixture: settings.mixture,
            radius_method: certificate.radius,
            bound: certificate.bound,
            failure_probability: certificate.failure_probability,
            selection_votes: certificate.selection_votes,
            predict_votes: certificate.predict_votes,
            predict_target_radius: certificate.predict_target_radius,
        }
    }
}
