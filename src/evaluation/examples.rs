//! Evaluations for tests: a header, and records that a seeded generator draws.

use super::record::{EvaluationHeader, EvaluationRecord, EvaluationSettings, SamplingConditions};
use super::test_records;
use crate::certificate::{Alpha, FailureProbability, MixingWeights, Temperature};
use crate::domain::{ComputeEnvironment, InputSpec, ModelGuarantee, Norm, RobustOutput};
use crate::settings::MixtureSettings;

/// The number of classes.
pub(in crate::evaluation) const CLASSES: u32 = 5;

/// A header for a robust model with 1-Lipschitz logits, or for a smoothed one. The mixture in force is
/// the paper's.
pub(in crate::evaluation) fn header(is_smoothed: bool) -> EvaluationHeader {
    let small = test_records::header(is_smoothed);
    EvaluationHeader {
        labels: (0..CLASSES).map(|class| format!("class {class}")).collect(),
        input: InputSpec {
            shape: vec![12],
            low: 0.0,
            high: 1.0,
            ..small.input
        },
        guarantee: if is_smoothed {
            ModelGuarantee::GaussianSmoothing {
                sigma: 0.5,
                levels: 255,
            }
        } else {
            ModelGuarantee::LipschitzLogits {
                norm: Norm::L2,
                constant: 1.0,
                vector_valued: true,
                error_bound: 1e-6,
            }
        },
        sampling: small.sampling.map(|sampling| SamplingConditions {
            selection_votes: 16,
            estimation_votes: 120,
            total_variation: 1e-12,
            ..sampling
        }),
        settings: EvaluationSettings {
            mixture: MixtureSettings {
                weights: MixingWeights::constant(Alpha::new(0.76).unwrap()),
                robust_temperature: Temperature::ONE,
            },
            failure_probability: FailureProbability::new(1e-4).unwrap(),
            predict_votes: 120,
            ..small.settings
        },
        environment: ComputeEnvironment {
            robust_batch_size: 1,
            ..small.environment
        },
        ..small
    }
}

/// `count` records. The standard model is right on about 9 of 10 inputs, and the robust model on
/// about 7 of 10. One of 20 inputs has no label.
pub(in crate::evaluation) fn records(is_smoothed: bool, count: u64, seed: u64) -> Vec<EvaluationRecord> {
    let mut source = fastrand::Rng::with_seed(seed);
    (0..count)
        .map(|index| {
            let label = source.u32(..CLASSES);
            let standard = logits(&mut source, label, 0.92, 4.0);
            let robust = logits(&mut source, label, 0.72, 1.5);
            EvaluationRecord {
                id: format!("{seed}#{index}"),
                index,
                label: (source.f64() > 0.05).then_some(label),
                standard,
                robust: if is_smoothed {
                    RobustOutput::Votes(votes(&mut source, &robust))
                } else {
                    RobustOutput::Row(robust)
                },
                noise_key: None,
                snapping_loss: 0.0,
                seconds: 0.01,
            }
        })
        .collect()
}

/// Logits whose largest is that of `label` with about this probability.
#[expect(clippy::cast_possible_truncation, reason = "a row of a model is float32")]
fn logits(source: &mut fastrand::Rng, label: u32, accuracy: f64, scale: f64) -> Vec<f32> {
    let top = if source.f64() < accuracy {
        label
    } else {
        source.u32(..CLASSES)
    };
    (0..CLASSES)
        .map(|class| {
            let lead = if class == top { scale * source.f64() } else { 0.0 };
            (lead + 0.2 * source.f64()) as f32
        })
        .collect()
}

/// 136 votes in proportion to a softmax of `logits`.
fn votes(source: &mut fastrand::Rng, logits: &[f32]) -> Vec<Option<u32>> {
    let shares: Vec<f64> = logits.iter().map(|&logit| (5.0 * f64::from(logit)).exp()).collect();
    let total: f64 = shares.iter().sum();
    (0..136)
        .map(|_| {
            let mut left = source.f64() * total;
            (0..CLASSES).zip(&shares).find_map(|(class, share)| {
                left -= share;
                (left < 0.0).then_some(class)
            })
        })
        .collect()
}
