//! Encodes predictions, certificates and provenance as messages of `certimix.v1`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::proto;
use crate::domain::{
    AbstentionReason, Basis, BoundKind, Certificate, CertificateMethod, CertificateStatus, ClassSource,
    MAX_CAVEAT_BYTES, MAX_REASON_BYTES, ModelOutputs, Norm, Prediction, Provenance, RequestStage, RequestTimings,
    RobustOutput, Role, StopReason, cut,
};
use crate::rpc::common::float32::{nearest_f32, probability_from_log};

/// Encodes predictions; with `include_components`, also the probabilities of both models.
pub(super) fn predictions(
    predictions: Vec<Prediction>,
    labels: &[String],
    include_components: bool,
) -> Vec<proto::Prediction> {
    let encode = |found: Prediction| prediction(found, labels, include_components);
    predictions.into_iter().map(encode).collect()
}

/// Encodes one prediction; with `include_components`, also the probabilities of both models.
pub(super) fn prediction(prediction: Prediction, labels: &[String], include_components: bool) -> proto::Prediction {
    let probabilities = |log_probs: &[f64]| match include_components {
        true => log_probs.iter().map(|&log| probability_from_log(log)).collect(),
        false => Vec::new(),
    };
    proto::Prediction {
        class_index: index(prediction.class),
        class_source: class_source(prediction.class_source).into(),
        label: labels.get(prediction.class).cloned().unwrap_or_default(),
        mixed_logits: prediction
            .mixed_logits
            .iter()
            .map(|&logit| nearest_f32(logit))
            .collect(),
        standard_probabilities: probabilities(&prediction.standard_log_probs),
        robust_probabilities: probabilities(&prediction.robust_log_probs),
        standard_class_index: index(prediction.standard_class),
        robust_class_index: index(prediction.robust_class),
        certificate: Some(certificate(prediction.certificate)),
        robust_weight: Some(prediction.robust_weight),
        model_outputs: prediction.model_outputs.map(model_outputs),
    }
}

fn model_outputs(outputs: ModelOutputs) -> proto::ModelOutputs {
    let (robust, votes) = match outputs.robust {
        RobustOutput::Row(row) => (row, Vec::new()),
        RobustOutput::Votes(votes) => {
            // Classes fit 31 bits, so the number after the last one fits too.
            let number = |vote: Option<u32>| vote.map_or(0, |class| class.saturating_add(1));
            (Vec::new(), votes.into_iter().map(number).collect())
        }
    };
    proto::ModelOutputs {
        standard: outputs.standard,
        robust,
        votes,
    }
}

fn class_source(source: ClassSource) -> proto::ClassSource {
    match source {
        ClassSource::Certificate => proto::ClassSource::Certificate,
        ClassSource::Mixture => proto::ClassSource::Mixture,
        ClassSource::StandardModel => proto::ClassSource::StandardModel,
    }
}

/// Encodes the provenance of a response.
pub(super) fn provenance(provenance: &Provenance) -> proto::Provenance {
    proto::Provenance {
        config_revision: provenance.config_revision.to_string(),
        alpha: provenance.alpha,
        fallback_alpha: Some(provenance.fallback_alpha),
        standard_model_sha256: provenance.standard_model_sha256.clone(),
        robust_model_sha256: provenance.robust_model_sha256.clone(),
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        robust_temperature: provenance.robust_temperature,
        standard_batch_size: index(provenance.environment.standard_batch_size),
        robust_batch_size: index(provenance.environment.robust_batch_size),
        runtime_version: provenance.environment.runtime_version.clone(),
        processor: provenance.environment.processor.clone(),
    }
}

/// Encodes the stages of a request that was received at `received_at`, up to now.
pub(super) fn timings(timings: &RequestTimings, received_at: Instant) -> proto::Timings {
    let stage = |stage: Option<RequestStage>| stage.map_or(0, |stage| microseconds(stage.took));
    proto::Timings {
        queue_us: stage(timings.queue()),
        standard_model_us: stage(timings.run(Role::Standard)),
        robust_model_us: stage(timings.run(Role::Robust)),
        mixing_us: stage(timings.mixing),
        total_us: microseconds(received_at.elapsed()),
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn certificate(certificate: Certificate) -> proto::Certificate {
    let status = match certificate.status {
        CertificateStatus::Certified => proto::CertificateStatus::Certified,
        CertificateStatus::Abstained => proto::CertificateStatus::Abstained,
        CertificateStatus::Unavailable => proto::CertificateStatus::Unavailable,
    };
    let stop_reason = match certificate.stop_reason {
        StopReason::TargetReached => proto::StopReason::TargetReached,
        StopReason::TargetOutOfReach => proto::StopReason::TargetOutOfReach,
        StopReason::VoteBudget => proto::StopReason::VoteBudget,
        StopReason::Deadline => proto::StopReason::Deadline,
        StopReason::NotSampled => proto::StopReason::NotSampled,
        StopReason::ClassSettled => proto::StopReason::ClassSettled,
    };
    let abstention_reason = match certificate.abstention {
        None => proto::AbstentionReason::Unspecified,
        Some(AbstentionReason::RobustModelUnsure) => proto::AbstentionReason::RobustModelUnsure,
        Some(AbstentionReason::TooFewVotes) => proto::AbstentionReason::TooFewVotes,
        Some(AbstentionReason::Deadline) => proto::AbstentionReason::Deadline,
        Some(AbstentionReason::SnappingLoss) => proto::AbstentionReason::SnappingLoss,
    };
    let certificate_basis = (certificate.status != CertificateStatus::Unavailable).then(|| certificate.basis());
    let mut message = proto::Certificate {
        basis: basis(certificate_basis).into(),
        whole_range: certificate.whole_range,
        status: status.into(),
        radius: certificate.radius,
        norm: norm(certificate.norm).into(),
        method: method(certificate.method).into(),
        reason: cut(&certificate.reason, MAX_REASON_BYTES).to_owned(),
        abstention_reason: abstention_reason.into(),
        stop_reason: stop_reason.into(),
        radius_sq_levels: certificate.radius_sq_levels,
        caveat: cut(&certificate.caveat, MAX_CAVEAT_BYTES).to_owned(),
        ..Default::default()
    };
    if let Some(sampling) = certificate.sampling {
        message.failure_probability = sampling.failure_probability;
        message.bound = bound(sampling.bound).into();
        message.votes = sampling.votes;
        message.votes_for_class = sampling.votes_for_class;
        message.votes_for_runner_up = sampling.votes_for_runner_up;
        message.selection_votes = sampling.selection_votes;
        message.votes_drawn = sampling.votes_drawn;
        message.batch_size = index(sampling.batch_size);
        message.lower_bound = sampling.lower_bound;
        message.upper_bound = sampling.upper_bound;
        message.two_sided = sampling.two_sided;
        message.target_radius = sampling.target_radius.unwrap_or(0.0);
        message.noise_key = sampling.noise_key.to_vec();
        message.sigma = sampling.sigma;
        message.total_variation = sampling.total_variation;
        message.snapping_loss = sampling.snapping_loss;
        message.requested_target_radius = sampling.requested_target_radius.unwrap_or(0.0);
        message.largest_possible_radius = sampling.largest_possible_radius;
    }
    message
}

pub(super) fn basis(basis: Option<Basis>) -> proto::CertificateBasis {
    match basis {
        None => proto::CertificateBasis::Unspecified,
        Some(Basis::Proven) => proto::CertificateBasis::Proven,
        Some(Basis::Claimed) => proto::CertificateBasis::Claimed,
    }
}

pub(super) fn norm(norm: Option<Norm>) -> proto::Norm {
    match norm {
        None => proto::Norm::Unspecified,
        Some(Norm::L1) => proto::Norm::L1,
        Some(Norm::L2) => proto::Norm::L2,
        Some(Norm::Linf) => proto::Norm::Linf,
    }
}

pub(super) fn method(method: Option<CertificateMethod>) -> proto::CertificateMethod {
    match method {
        None => proto::CertificateMethod::Unspecified,
        Some(CertificateMethod::Theorem1) => proto::CertificateMethod::Theorem1,
        Some(CertificateMethod::LogitLipschitz) => proto::CertificateMethod::LogitLipschitz,
        Some(CertificateMethod::Theorem2) => proto::CertificateMethod::Theorem2,
        Some(CertificateMethod::Tight) => proto::CertificateMethod::Tight,
    }
}

pub(super) fn bound(bound: BoundKind) -> proto::BoundMethod {
    match bound {
        BoundKind::Anytime => proto::BoundMethod::Anytime,
        BoundKind::ClopperPearson => proto::BoundMethod::ClopperPearson,
    }
}

/// Encodes a length or an index. The limits of manifests and settings keep it within 32 bits.
pub(super) fn index(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Encodes a wall-clock time as milliseconds since 1970.
pub(super) fn unix_ms(time: SystemTime) -> u64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::domain::{AnswerSize, SamplingDetails};

    /// The largest prediction that can be encoded.
    fn largest(classes: usize) -> Prediction {
        let certificate = Certificate {
            status: CertificateStatus::Certified,
            radius: 1.5,
            whole_range: true,
            basis: Basis::Claimed,
            norm: Some(Norm::Linf),
            method: Some(CertificateMethod::Tight),
            reason: "r".repeat(10_000),
            abstention: Some(AbstentionReason::SnappingLoss),
            sampling: Some(SamplingDetails {
                failure_probability: 1e-9,
                bound: BoundKind::ClopperPearson,
                votes: u64::MAX,
                votes_for_class: u64::MAX,
                votes_for_runner_up: u64::MAX,
                selection_votes: u64::MAX,
                votes_drawn: u64::MAX,
                lower_bound: 0.9,
                upper_bound: 0.1,
                two_sided: true,
                target_radius: Some(0.3),
                noise_key: [0xff; 32],
                batch_size: usize::MAX,
                sigma: 0.5,
                total_variation: 1e-9,
                snapping_loss: 1e-3,
                requested_target_radius: Some(0.3),
                largest_possible_radius: 0.9,
            }),
            stop_reason: StopReason::VoteBudget,
            radius_sq_levels: u64::MAX,
            caveat: "c".repeat(10_000),
        };
        Prediction {
            class: classes - 1,
            mixed_logits: vec![-1.0; classes],
            certificate,
            standard_log_probs: vec![-1.0; classes],
            robust_log_probs: vec![-1.0; classes],
            standard_class: usize::MAX,
            robust_class: usize::MAX,
            robust_weight: 0.7,
            weight_rule: crate::certificate::WeightRule::Fallback,
            class_source: ClassSource::StandardModel,
            model_outputs: None,
        }
    }

    #[test]
    fn no_response_is_larger_than_its_bound() {
        let provenance = proto::Provenance {
            config_revision: "f".repeat(64),
            alpha: 0.7,
            fallback_alpha: Some(0.5),
            standard_model_sha256: "f".repeat(64),
            robust_model_sha256: "f".repeat(64),
            server_version: "x".repeat(64),
            robust_temperature: 2.0,
            standard_batch_size: u32::MAX,
            robust_batch_size: u32::MAX,
            runtime_version: "x".repeat(256),
            processor: "x".repeat(4096),
        };
        let cases = [(2, 1), (2, 500), (1000, 40)];
        let cases = cases
            .into_iter()
            .flat_map(|case| [(case, None), (case, Some(0)), (case, Some(3000))]);
        for ((classes, inputs), votes) in cases {
            let labels = vec!["a label of some length".to_owned(); classes];
            for with_components in [false, true] {
                let model_outputs = votes.map(|votes| ModelOutputs {
                    standard: vec![-1.0; classes],
                    robust: match votes {
                        0 => RobustOutput::Row(vec![-1.0; classes]),
                        votes => RobustOutput::Votes(vec![u32::try_from(classes - 1).ok(); votes]),
                    },
                });
                let one = || Prediction {
                    model_outputs: model_outputs.clone(),
                    ..largest(classes)
                };
                let all = (0..inputs).map(|_| one()).collect();
                let response = proto::PredictResponse {
                    predictions: predictions(all, &labels, with_components),
                    provenance: Some(provenance.clone()),
                    timings: Some(proto::Timings {
                        queue_us: u64::MAX,
                        standard_model_us: u64::MAX,
                        robust_model_us: u64::MAX,
                        mixing_us: u64::MAX,
                        total_us: u64::MAX,
                    }),
                };
                let answer = AnswerSize::of_prediction(&labels, with_components, true);
                let answer = votes.map_or(answer, |votes| answer.with_model_outputs(classes, votes));
                let (size, bound) = (response.encoded_len(), answer.response(inputs));
                assert!(size <= bound, "{size} is over {bound}");
            }
        }
    }
}
