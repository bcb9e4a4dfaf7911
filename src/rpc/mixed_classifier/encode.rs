//! From predictions to the wire.

use super::proto;
use crate::domain::{
    Basis, BoundKind, Certificate, CertificateMethod, CertificateStatus, Norm, Prediction, Provenance, StopReason,
};

/// A prediction; with `components`, g's and h's probabilities too.
pub(in crate::rpc) fn prediction(prediction: Prediction, labels: &[String], components: bool) -> proto::Prediction {
    let probabilities = |log_probs: &[f64]| match components {
        true => log_probs.iter().map(|&log| probability(log)).collect(),
        false => Vec::new(),
    };
    proto::Prediction {
        class_index: index(prediction.class),
        label: labels.get(prediction.class).cloned().unwrap_or_default(),
        mixed_logits: prediction.mixed_logits.iter().map(|&logit| narrow(logit)).collect(),
        standard_probabilities: probabilities(&prediction.standard_log_probs),
        robust_probabilities: probabilities(&prediction.robust_log_probs),
        standard_class_index: index(prediction.standard_class),
        robust_class_index: index(prediction.robust_class),
        certificate: Some(certificate(prediction.certificate)),
    }
}

/// The snapshot that answered.
pub(in crate::rpc) fn provenance(provenance: &Provenance) -> proto::Provenance {
    proto::Provenance {
        config_revision: provenance.config_revision.to_string(),
        alpha: provenance.alpha,
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
    };
    let rests_on = (certificate.status != CertificateStatus::Unavailable).then(|| certificate.basis());
    let mut message = proto::Certificate {
        basis: basis(rests_on).into(),
        whole_range: certificate.whole_range,
        status: status.into(),
        radius: certificate.radius,
        norm: norm(certificate.norm).into(),
        method: method(certificate.method).into(),
        reason: certificate.reason,
        stop_reason: stop_reason.into(),
        radius_sq_levels: certificate.radius_sq_levels,
        caveat: certificate.caveat,
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
    }
    message
}

pub(in crate::rpc) fn basis(basis: Option<Basis>) -> proto::CertificateBasis {
    match basis {
        None => proto::CertificateBasis::Unspecified,
        Some(Basis::Proven) => proto::CertificateBasis::Proven,
        Some(Basis::Claimed) => proto::CertificateBasis::Claimed,
    }
}

pub(in crate::rpc) fn norm(norm: Option<Norm>) -> proto::Norm {
    match norm {
        None => proto::Norm::Unspecified,
        Some(Norm::L1) => proto::Norm::L1,
        Some(Norm::L2) => proto::Norm::L2,
        Some(Norm::Linf) => proto::Norm::Linf,
    }
}

pub(in crate::rpc) fn method(method: Option<CertificateMethod>) -> proto::CertificateMethod {
    match method {
        None => proto::CertificateMethod::Unspecified,
        Some(CertificateMethod::Theorem1) => proto::CertificateMethod::Theorem1,
        Some(CertificateMethod::LogitLipschitz) => proto::CertificateMethod::LogitLipschitz,
        Some(CertificateMethod::Theorem2) => proto::CertificateMethod::Theorem2,
        Some(CertificateMethod::Tight) => proto::CertificateMethod::Tight,
    }
}

pub(in crate::rpc) fn bound(bound: BoundKind) -> proto::BoundMethod {
    match bound {
        BoundKind::Anytime => proto::BoundMethod::Anytime,
        BoundKind::ClopperPearson => proto::BoundMethod::ClopperPearson,
    }
}

/// A length or index that fits 32 bits by the limits of manifests and settings.
pub(in crate::rpc) fn index(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// A probability, from its logarithm.
pub(in crate::rpc) fn probability(log: f64) -> f32 {
    narrow(log.exp())
}

/// A logit or a probability as the wire carries it: the nearest float32.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the wire carries logits and probabilities as float32"
)]
pub(in crate::rpc) fn narrow(value: f64) -> f32 {
    value as f32
}
