//! A recomputed answer equals the one that the functions of a request give.

use proptest::prelude::*;

use super::*;
use crate::certificate::{
    Alpha, Decision, FailureProbability, LOG_FLOOR, MixingWeights, RadiusMethod, Sigma, Temperature, VoteRule,
    radius_to_prove,
};
use crate::classifier::EvaluatedModels;
use crate::classifier::prediction::lipschitz;
use crate::classifier::prediction::mixing::mix;
use crate::classifier::prediction::robust_prediction::RobustPrediction;
use crate::classifier::prediction::unavailability::unavailable_reason;
use crate::classifier::smoothing::class_choice::{MAX_CLASS_VOTES, choose_class, class_of_mixture};
use crate::classifier::smoothing::smoothed_prediction::{
    CertificateContext, prediction_from_votes, prediction_without_selection,
};
use crate::classifier::smoothing::target_radius::{CertificationGoal, PredictTarget, TargetRadius};
use crate::classifier::smoothing::vote_counts::VoteCounts;
use crate::domain::{BoundKind, CertificateStatus, InputSpec, ModelGuarantee, Norm, PerRole, Prediction, StopReason};
use crate::onnx::OutputKind;
use crate::settings::{CertificateSettings, MixtureSettings};

const CLASSES: usize = 4;

fn models(guarantee: ModelGuarantee, robust: OutputKind) -> EvaluatedModels {
    EvaluatedModels {
        guarantee,
        output_kinds: PerRole {
            standard: OutputKind::Logits,
            robust,
        },
        spec: InputSpec {
            name: "input".to_owned(),
            shape: vec![5],
            low: 0.0,
            high: 1.0,
            levels: None,
        },
        classes: CLASSES,
    }
}

/// Weights of every kind: below and above 1/2, equal, gated, and at the ends.
fn weights() -> impl Strategy<Value = MixingWeights> {
    let weight = || prop_oneof![4 => 0.0..=1.0_f64, 1 => Just(0.0), 1 => Just(0.5), 1 => Just(1.0)];
    (weight(), weight(), any::<bool>()).prop_map(|(a, b, is_constant)| {
        let (alpha, fallback) = (Alpha::new(a.max(b)).unwrap(), Alpha::new(a.min(b)).unwrap());
        if is_constant {
            MixingWeights::constant(alpha)
        } else {
            MixingWeights::new(alpha, fallback).unwrap()
        }
    })
}

fn rows() -> impl Strategy<Value = Vec<f32>> {
    let value = prop_oneof![
        8 => -4.0..4.0_f32,
        2 => -40.0..40.0_f32,
        1 => Just(0.0),
        1 => prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)],
    ];
    prop_oneof![
        6 => prop::collection::vec(-4.0..4.0_f32, CLASSES),
        1 => prop::collection::vec(value, CLASSES),
    ]
}

fn softmax(row: &[f32]) -> Vec<f32> {
    let log = lipschitz::log_probs(OutputKind::Logits, row, Temperature::ONE);
    #[expect(clippy::cast_possible_truncation, reason = "a row of a model is float32")]
    log.iter().map(|&log| log.exp() as f32).collect()
}

fn of_prediction(prediction: &Prediction) -> (usize, CertificateStatus, u64) {
    let certificate = &prediction.certificate;
    (prediction.class, certificate.status, certificate.radius.to_bits())
}

fn of_answer(answer: &RecomputedAnswer) -> (usize, CertificateStatus, u64) {
    (answer.class, answer.status, answer.radius.to_bits())
}

proptest! {
    #[test]
    fn an_answer_from_rows_is_that_of_the_server(
        standard in rows(), robust in rows(), weights in weights(), t in -3.0..2.0_f64, kind in 0..4_usize,
    ) {
        let temperature = Temperature::new(10_f64.powf(t)).unwrap();
        let (guarantee, output_kind, temperature) = match kind {
            0 => {
                let guarantee = ModelGuarantee::LipschitzLogits {
                    norm: Norm::L2, constant: 1.0, vector_valued: true, error_bound: 1e-5,
                };
                (guarantee, OutputKind::Logits, temperature)
            }
            1 => {
                let guarantee = ModelGuarantee::LipschitzLogits {
                    norm: Norm::Linf, constant: 3.0, vector_valued: false, error_bound: 0.0,
                };
                (guarantee, OutputKind::Logits, temperature)
            }
            2 => {
                let guarantee = ModelGuarantee::LipschitzProbabilities {
                    norm: Norm::L1, constants: vec![0.5; CLASSES], neighbourhood: Some(0.4), error_bound: 1e-6,
                };
                (guarantee, OutputKind::Probabilities, Temperature::ONE)
            }
            _ => (ModelGuarantee::None, OutputKind::Logits, temperature),
        };
        let robust = if output_kind == OutputKind::Probabilities { softmax(&robust) } else { robust };
        let models = models(guarantee, output_kind);
        let mixture = MixtureSettings { weights, robust_temperature: temperature };
        let log_standard = lipschitz::log_probs(OutputKind::Logits, &standard, Temperature::ONE);
        let certified = lipschitz::certify(&models.guarantee, output_kind, &robust, &models.spec, &mixture).unwrap();
        let expected = of_prediction(&mix(weights, log_standard, certified));

        let recorded = RecordedRows::new(&models, &standard, &robust);
        prop_assert_eq!(of_answer(&recorded.answer(&mixture).unwrap()), expected);
        let at_temperature = recorded.at_temperature(temperature);
        let (class, radius) = match at_temperature.certified_radius(weights.alpha()).unwrap() {
            Some(radius) => (at_temperature.robust_class(), radius),
            None => (at_temperature.class_at_weight(at_temperature.uncertified_weight(weights)), 0.0),
        };
        prop_assert_eq!((class, radius.to_bits()), (expected.0, expected.2));
    }

    #[test]
    fn an_answer_from_votes_is_that_of_the_vote_loop(
        standard in rows(),
        shares in prop::collection::vec(0.0..1.0_f64, CLASSES),
        sharpness in 1..12_i32,
        seed in any::<u64>(),
        weights in weights(),
        target in prop_oneof![Just(None), (0.01..0.6_f64).prop_map(Some)],
        chunk_votes in prop_oneof![Just(1_u64), Just(5), Just(7), Just(64)],
        loss in prop_oneof![3 => Just(0.0), 1 => Just(0.02)],
        bound in prop_oneof![3 => Just(BoundKind::Anytime), 1 => Just(BoundKind::ClopperPearson)],
        recorded in prop_oneof![4 => Just(16 + 120_usize), 1 => 0..136_usize],
    ) {
        let models = models(ModelGuarantee::GaussianSmoothing { sigma: 0.5, levels: 255 }, OutputKind::Logits);
        let votes = drawn_votes(&shares, sharpness, seed, recorded);
        let conditions = VoteConditions {
            sigma: Sigma::new(0.5).unwrap(),
            total_variation: 1e-12,
            selection_votes: 16,
            vote_budget: 120,
            target_radius: target,
            bound,
            chunk_votes,
        };
        let failure = FailureProbability::new(1e-3).unwrap();
        let expected = vote_loop(&models, &conditions, failure, weights, &standard, &votes, loss);

        let mut replay = VoteReplay::new(&models, &conditions, weights.alpha(), RadiusMethod::Tight, failure).unwrap();
        let mut recorded = RecordedVotes::new(&models, &conditions, &standard, &votes, loss);
        // The second answer comes from remembered looks.
        for _ in 0..2 {
            let proof = replay.prove(&recorded).unwrap();
            let answer = replay.answer(&mut recorded, proof, weights).unwrap();
            prop_assert_eq!((of_answer(&answer), answer.votes), expected);
        }
    }
}

fn drawn_votes(shares: &[f64], sharpness: i32, seed: u64, count: usize) -> Vec<Option<u32>> {
    let sharp: Vec<f64> = shares.iter().map(|share| share.powi(sharpness)).collect();
    let total: f64 = sharp.iter().sum();
    let mut source = fastrand::Rng::with_seed(seed);
    (0..count)
        .map(|_| {
            // One of a hundred votes is for no class.
            let mut left = source.f64() * total * 1.01;
            (0..).zip(&sharp).find_map(|(class, share)| {
                left -= share;
                (left < 0.0).then_some(class)
            })
        })
        .collect()
}

/// The answer of the vote loop of a request: the code of `VoteLoop` without its executors, on
/// recorded votes.
fn vote_loop(
    models: &EvaluatedModels,
    conditions: &VoteConditions,
    failure_probability: FailureProbability,
    weights: MixingWeights,
    standard: &[f32],
    votes: &[Option<u32>],
    snapping_loss: f64,
) -> ((usize, CertificateStatus, u64), u64) {
    let goal = CertificationGoal {
        alpha: weights.alpha(),
        sigma: conditions.sigma,
        total_variation: conditions.total_variation,
        radius_method: RadiusMethod::Tight,
        bound: conditions.bound,
        vote_budget: conditions.vote_budget,
        failure_probability,
    };
    let settings = CertificateSettings {
        failure_probability,
        min_failure_probability: 1e-3,
        radius: RadiusMethod::Tight,
        bound: conditions.bound,
        selection_votes: conditions.selection_votes,
        predict_votes: conditions.vote_budget,
        predict_target_radius: conditions.target_radius,
        certify_votes: 1,
        max_votes: 1,
        interactive_votes: 0,
        allow_inexact_runtime: false,
    };
    let target = PredictTarget::new(&goal, &settings)
        .unwrap()
        .target
        .map(TargetRadius::in_force);
    let rule = VoteRule {
        plan: crate::certificate::SmoothingPlan {
            target_radius: target.map(|target| radius_to_prove(target, snapping_loss)),
            ..goal.plan()
        },
        classes: models.classes,
        vote_budget: conditions.vote_budget,
        snapping_loss,
    };
    let context = CertificateContext {
        weights,
        bound: conditions.bound,
        vote_budget: conditions.vote_budget,
        selection_votes: conditions.selection_votes,
        noise_key: [0; 32],
        snapping_loss,
        requested_target_radius: target,
        largest_possible_radius: 0.0,
        batch_size: 1,
        unavailable_reason: unavailable_reason(&models.guarantee, weights.alpha()),
    };
    let log_standard = lipschitz::log_probs(OutputKind::Logits, standard, Temperature::ONE);
    let mut counts = VoteCounts::new(models.classes, conditions.selection_votes);
    let (mut selection, mut best): (_, Option<RobustPrediction>) = (None, None);
    let mut left = votes;
    if context.unavailable_reason.is_some() {
        left = &left[..left.len().min(usize::try_from(MAX_CLASS_VOTES).unwrap())];
    }
    while !left.is_empty() {
        let chunk = usize::try_from(conditions.chunk_votes).unwrap().min(left.len());
        for vote in &left[..chunk] {
            counts.add(vote.map(|class| usize::try_from(class).unwrap()));
        }
        left = &left[chunk..];
        if context.unavailable_reason.is_some() {
            if class_of_mixture(weights, &log_standard, &counts).unwrap().is_some() {
                break;
            }
            continue;
        }
        let Some(class) = counts.selected_class() else { continue };
        let (_, phase) = selection.get_or_insert_with(|| (class, rule.select(counts.selection_tally(class)).unwrap()));
        if counts.estimation_votes() == 0 {
            continue;
        }
        let look = phase.look(counts.estimation_tally(class)).unwrap();
        if look.is_best {
            let stop = StopReason::VoteBudget;
            let spec = &models.spec;
            best =
                Some(prediction_from_votes(&counts, class, phase.plan(), &look.proven, &context, spec, stop).unwrap());
        }
        if look.decision != Decision::Continue {
            break;
        }
    }
    let robust = best.unwrap_or_else(|| match &selection {
        Some((class, phase)) if counts.estimation_votes() > 0 => {
            let proven = phase.certify(counts.estimation_tally(*class)).unwrap();
            let stop = StopReason::VoteBudget;
            prediction_from_votes(&counts, *class, phase.plan(), &proven, &context, &models.spec, stop).unwrap()
        }
        _ => prediction_without_selection(&counts, &context, StopReason::VoteBudget),
    });
    assert!(robust.log_probs.iter().all(|&log| log >= LOG_FLOOR));
    let mut prediction = mix(weights, log_standard, robust);
    choose_class(&mut prediction, weights, &counts).unwrap();
    (of_prediction(&prediction), counts.drawn())
}
