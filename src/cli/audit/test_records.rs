//! A served certificate for the tests of the audit commands.

use crate::certificate::{
    Alpha, BoundMethod, FailureProbability, RadiusMethod, Sides, Sigma, SmoothingPlan, certify, radius_sq_levels,
};
use crate::cli::client::{CertificateRecord, PredictionRecord, ProvenanceRecord};

/// A certificate as the server serves it: 980 of 1000 votes, the anytime bound, target radius 0.1.
pub(super) fn certified_record() -> PredictionRecord {
    let mut record = PredictionRecord {
        file: "x.png".into(),
        input_sha256: "00".repeat(32),
        input_dtype: "uint8".into(),
        input_shape: vec![3, 32, 32],
        resized: false,
        true_label: None,
        time_ms: 1.0,
        is_final: None,
        class_index: 3,
        label: "cat".into(),
        class_source: "certificate".into(),
        mixed_logits: vec![],
        standard_probabilities: vec![],
        robust_probabilities: vec![],
        standard_class_index: 3,
        robust_class_index: 3,
        certificate: CertificateRecord {
            status: "certified".into(),
            radius: 0.0,
            norm: "l2".into(),
            method: "tight".into(),
            reason: String::new(),
            failure_probability: 1e-6,
            bound: "anytime".into(),
            votes: 1000,
            votes_for_class: 980,
            votes_for_runner_up: 11,
            selection_votes: 32,
            votes_drawn: 1032,
            batch_size: 1,
            lower_bound: 0.0,
            upper_bound: 0.0,
            stop_reason: "vote_budget".into(),
            noise_key: "ab".repeat(32),
            radius_sq_levels: 0,
            two_sided: false,
            target_radius: 0.1,
            snapping_loss: 0.0,
            sigma: 0.25,
            total_variation: 1e-13,
            caveat: String::new(),
            basis: "proven".into(),
            whole_range: false,
            abstention_reason: String::new(),
        },
        provenance: ProvenanceRecord {
            config_revision: String::new(),
            alpha: 0.76,
            standard_model_sha256: String::new(),
            robust_model_sha256: String::new(),
            server_version: "0.1.0".into(),
            robust_temperature: 1.0,
            standard_batch_size: 1,
            robust_batch_size: 1,
            runtime_version: String::new(),
            processor: String::new(),
        },
    };
    let plan = SmoothingPlan {
        alpha: Alpha::new(0.76).unwrap(),
        sigma: Sigma::new(0.25).unwrap(),
        radius_method: RadiusMethod::Tight,
        bound_method: BoundMethod::Anytime,
        failure_probability: FailureProbability::new(1e-6).unwrap(),
        sides: Sides::OneSided,
        target_radius: Some(0.1),
        total_variation: 1e-13,
    };
    let proven = certify(&plan, record.certificate.estimation_tally()).unwrap();
    let certificate = &mut record.certificate;
    certificate.radius = proven.radius * (1.0 - 4.0 * f64::EPSILON);
    certificate.lower_bound = proven.p_lower.value();
    certificate.upper_bound = proven.p_upper.value();
    certificate.radius_sq_levels = radius_sq_levels(certificate.radius, 255).unwrap();
    record
}
