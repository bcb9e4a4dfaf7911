//! The counts of a grid of settings, against the answers of each setting one by one.
//!
//! The target is below 5 seconds for 10,000 inputs and 1,000 settings on two processors.
//!
//! `cargo bench --bench recompute`

use std::hint::black_box;

use certimix::certificate::{Alpha, CertificateError, FailureProbability, MixingWeights, RadiusMethod, Temperature};
use certimix::domain::{BoundKind, ComputeEnvironment, InputSpec, ModelGuarantee, Norm, PerRole, RobustOutput};
use certimix::evaluation::recompute::{RadiusGrid, Recomputation, Setting};
use certimix::evaluation::{
    DataSetIdentity, EvaluatedModel, EvaluationHeader, EvaluationRecord, EvaluationSettings, SamplingConditions,
};
use certimix::onnx::OutputKind;
use certimix::settings::MixtureSettings;
use criterion::{Criterion, criterion_group, criterion_main};

const CLASSES: u32 = 10;
const INPUTS: u64 = 10_000;

fn header(is_smoothed: bool) -> Result<EvaluationHeader, CertificateError> {
    let model = || EvaluatedModel {
        name: "example".to_owned(),
        sha256: "00".repeat(32),
        output_kind: OutputKind::Logits,
    };
    Ok(EvaluationHeader {
        data_set: DataSetIdentity {
            name: "example".to_owned(),
            sha256: "00".repeat(32),
        },
        models: PerRole {
            standard: model(),
            robust: model(),
        },
        labels: (0..CLASSES).map(|class| class.to_string()).collect(),
        input: InputSpec {
            name: "input".to_owned(),
            shape: vec![3, 32, 32],
            low: 0.0,
            high: 1.0,
            levels: is_smoothed.then_some(255),
        },
        guarantee: if is_smoothed {
            ModelGuarantee::GaussianSmoothing {
                sigma: 0.25,
                levels: 255,
            }
        } else {
            ModelGuarantee::LipschitzLogits {
                norm: Norm::L2,
                constant: 1.0,
                vector_valued: true,
                error_bound: 1e-5,
            }
        },
        guarantee_basis: None,
        caveat: String::new(),
        sampling: is_smoothed.then_some(SamplingConditions {
            selection_votes: 16,
            estimation_votes: 240,
            total_variation: 1e-13,
            noise_secret: Some([0; 32]),
        }),
        settings: EvaluationSettings {
            mixture: MixtureSettings {
                weights: MixingWeights::constant(Alpha::new(0.76)?),
                robust_temperature: Temperature::ONE,
            },
            radius_method: RadiusMethod::Tight,
            bound: BoundKind::Anytime,
            failure_probability: FailureProbability::new(1e-6)?,
            selection_votes: 16,
            predict_votes: 240,
            predict_target_radius: Some(36.0 / 255.0),
        },
        environment: ComputeEnvironment {
            standard_batch_size: 1,
            robust_batch_size: 1,
            runtime_version: String::new(),
            processor: String::new(),
        },
        created: String::new(),
        certimix_version: String::new(),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a row of a model is float32")]
fn records(is_smoothed: bool) -> Vec<EvaluationRecord> {
    let mut source = fastrand::Rng::with_seed(1);
    let mut row = |label: u32, lead: f64| -> Vec<f32> {
        let lead = lead * source.f64();
        let value = |class: u32| if class == label { lead } else { 0.0 };
        (0..CLASSES)
            .map(|class| (value(class) + 0.3 * source.f64()) as f32)
            .collect()
    };
    let rows: Vec<_> = (0..INPUTS)
        .map(|index| (index, row((index % 10) as u32, 5.0), row((index % 10) as u32, 1.5)))
        .collect();
    rows.into_iter()
        .map(|(index, standard, robust)| EvaluationRecord {
            noise_key: None,
            id: index.to_string(),
            index,
            label: Some((index % 10) as u32),
            standard,
            robust: if is_smoothed {
                let right = 0.4 + 0.6 * source.f64();
                let vote = |source: &mut fastrand::Rng| {
                    Some(if source.f64() < right {
                        (index % 10) as u32
                    } else {
                        source.u32(..CLASSES)
                    })
                };
                RobustOutput::Votes((0..256).map(|_| vote(&mut source)).collect())
            } else {
                RobustOutput::Row(robust)
            },
            snapping_loss: 0.0,
            seconds: 0.18,
        })
        .collect()
}

/// 1,000 settings: 20 alphas, 5 fallback weights and 10 temperatures, or 40 alphas and 25 fallback
/// weights.
fn settings(is_smoothed: bool, base: Setting) -> Vec<Setting> {
    let (alphas, fallbacks, temperatures) = if is_smoothed { (40, 25, 1) } else { (20, 5, 10) };
    let mut settings = Vec::new();
    for temperature in 1..=temperatures {
        for alpha in 1..=alphas {
            for fallback in 0..fallbacks {
                let alpha = 0.5 + 0.5 * f64::from(alpha) / f64::from(alphas);
                let fallback = 0.5 * f64::from(fallback) / f64::from(fallbacks);
                let temperature = f64::from(temperature) / f64::from(temperatures);
                settings.extend(base.with_mixture(alpha, fallback, temperature));
            }
        }
    }
    settings
}

fn recompute(criterion: &mut Criterion) {
    for (is_smoothed, name) in [(false, "rows"), (true, "votes")] {
        let Ok(header) = header(is_smoothed) else { continue };
        let records = records(is_smoothed);
        let Ok(recomputation) = Recomputation::new(&header, &records) else {
            continue;
        };
        let Ok(grid) = RadiusGrid::covering(1.0, &[0.25]) else {
            continue;
        };
        let settings = settings(is_smoothed, recomputation.in_force());
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        group.bench_function("1,000 settings together, 10,000 inputs", |bencher| {
            bencher.iter(|| recomputation.summaries(black_box(&settings), &grid, &|_| {}));
        });
        group.bench_function("10 settings one by one, 10,000 inputs", |bencher| {
            let some: Vec<Setting> = settings.iter().step_by(100).copied().collect();
            bencher.iter(|| {
                some.iter()
                    .map(|setting| recomputation.answers(setting))
                    .collect::<Vec<_>>()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, recompute);
criterion_main!(benches);
