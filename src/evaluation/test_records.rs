//! Headers and records for tests.

use super::record::{
    DataSetIdentity, EvaluatedModel, EvaluationHeader, EvaluationRecord, EvaluationSettings, SamplingConditions,
};
use crate::certificate::{Alpha, FailureProbability, MixingWeights, RadiusMethod, Temperature};
use crate::domain::{
    BoundKind, ComputeEnvironment, InputSpec, JustifiedBasis, ModelGuarantee, Norm, PerRole, RobustOutput,
};
use crate::onnx::OutputKind;
use crate::settings::MixtureSettings;

/// The header of an evaluation with three classes: of a 1-Lipschitz model, or of a smoothed one with 2
/// selection votes and 5 estimation votes.
pub(super) fn header(is_smoothed: bool) -> EvaluationHeader {
    let model = |name: &str| EvaluatedModel {
        name: name.to_owned(),
        sha256: "ab".repeat(32),
        output_kind: OutputKind::Logits,
    };
    EvaluationHeader {
        data_set: DataSetIdentity {
            name: "test.npz".to_owned(),
            sha256: "cd".repeat(32),
        },
        models: PerRole {
            standard: model("g"),
            robust: model("h"),
        },
        labels: ["cat", "dog", "ship"].map(str::to_owned).to_vec(),
        input: InputSpec {
            name: "x".to_owned(),
            shape: vec![2, 2],
            low: -0.1,
            high: 1.0 / 3.0,
            levels: is_smoothed.then_some(255),
        },
        guarantee: if is_smoothed {
            ModelGuarantee::GaussianSmoothing {
                sigma: 0.1 + 0.2,
                levels: 255,
            }
        } else {
            ModelGuarantee::LipschitzLogits {
                norm: Norm::L2,
                constant: 1.000_000_1,
                vector_valued: true,
                error_bound: 1e-5,
            }
        },
        guarantee_basis: Some(JustifiedBasis::proven("a theorem")),
        caveat: String::new(),
        sampling: is_smoothed.then_some(SamplingConditions {
            selection_votes: 2,
            estimation_votes: 5,
            total_variation: 1e-15,
            noise_secret: Some([7; 32]),
        }),
        settings: EvaluationSettings {
            mixture: MixtureSettings {
                weights: MixingWeights::new(Alpha::new(0.76).unwrap(), Alpha::new(0.1).unwrap()).unwrap(),
                robust_temperature: Temperature::new(0.3).unwrap(),
            },
            radius_method: RadiusMethod::Tight,
            bound: BoundKind::Anytime,
            failure_probability: FailureProbability::new(1e-6).unwrap(),
            selection_votes: 16,
            predict_votes: 240,
            predict_target_radius: None,
        },
        environment: ComputeEnvironment {
            standard_batch_size: 1,
            robust_batch_size: 4,
            runtime_version: "1.31.1".to_owned(),
            processor: "a processor".to_owned(),
        },
        created: "2026-01-02T03:04:05Z".to_owned(),
        certimix_version: "0.1.0".to_owned(),
    }
}

/// The record of input `index`.
pub(super) fn record(index: u64, is_smoothed: bool) -> EvaluationRecord {
    let class = u32::try_from(index % 3).unwrap();
    EvaluationRecord {
        id: format!("test.npz#{index}"),
        index,
        label: (!index.is_multiple_of(5)).then_some(class),
        standard: vec![0.1, -3.5, 7.25],
        robust: if is_smoothed {
            RobustOutput::Votes(vec![Some(1), Some(1), None, Some(1), Some(class), Some(2), Some(1)])
        } else {
            RobustOutput::Row(vec![f32::MIN_POSITIVE, -0.0, 1e9])
        },
        noise_key: None,
        snapping_loss: if is_smoothed { 0.01 } else { 0.0 },
        seconds: 0.001,
    }
}
