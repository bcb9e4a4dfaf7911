//! A served certificate for the tests of the audit commands.

use crate::certificate::{
    Alpha, BoundMethod, FailureProbability, LOG_FLOOR, MixingWeights, RadiusMethod, Sides, Sigma, SmoothingPlan,
    argmax, certify, mixed_logits, radius_sq_levels,
};
use crate::cli::client::{CertificateRecord, PredictionRecord, ProvenanceRecord};

/// A certificate as earlier servers serve it: 980 of 1000 votes, the anytime bound, target radius 0.1.
pub(super) fn certified_record() -> PredictionRecord {
    let mut record = PredictionRecord {
        file: "x.png".into(),
        input_sha256: "00".repeat(32),
        input_dtype: "uint8".into(),
        input_shape: vec![3, 32, 32],
        resized: false,
        exif_orientation: 1,
        true_label: None,
        true_class_index: None,
        time_ms: 1.0,
        is_final: None,
        class_index: 3,
        label: "cat".into(),
        class_source: "certificate".into(),
        // Class 3 has the share 980 / 1032 at least, at the weight 0.76.
        mixed_logits: vec![-3.0, -3.0, -3.0, -0.3],
        standard_probabilities: vec![],
        robust_probabilities: vec![],
        standard_class_index: 3,
        robust_class_index: 3,
        robust_weight: None,
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
            requested_target_radius: 0.0,
            largest_possible_radius: 0.0,
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
            fallback_alpha: None,
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

/// An uncertified prediction with its components, as the server serves it: `weights` mix the
/// probabilities `standard` and `robust`, and float32 carries the results.
pub(super) fn mixed_record(weights: MixingWeights, standard: &[f64], robust: &[f64]) -> PredictionRecord {
    let logs = |probabilities: &[f64]| -> Vec<f64> { probabilities.iter().map(|p| p.ln().max(LOG_FLOOR)).collect() };
    let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
    let (standard_logs, robust_logs) = (logs(standard), logs(robust));
    let weight = weights.weight(weights.rule(&robust_logs));
    let mixed = mixed_logits(weight, &standard_logs, &robust_logs);
    let mut record = certified_record();
    record.class_index = u32::try_from(argmax(&mixed).unwrap()).unwrap();
    record.mixed_logits = narrow(&mixed);
    record.standard_probabilities = narrow(standard);
    record.robust_probabilities = narrow(robust);
    record.robust_weight = Some(weight.get());
    record.provenance.alpha = weights.alpha().get();
    record.provenance.fallback_alpha = Some(weights.fallback_alpha().get());
    let certificate = &mut record.certificate;
    (certificate.status, certificate.method) = ("abstained".into(), "logit_lipschitz".into());
    (certificate.radius, certificate.radius_sq_levels, certificate.votes) = (0.0, 0, 0);
    record
}

/// A change of a record.
pub(super) type Change = fn(&mut PredictionRecord);

/// Applies each change to a record of its own, and asserts that `check` refuses it with the text.
pub(super) fn assert_refused(check: impl Fn(&PredictionRecord) -> Result<(), String>, changes: &[(&str, Change)]) {
    for (text, change) in changes {
        let mut record = certified_record();
        change(&mut record);
        let error = check(&record).unwrap_err();
        assert!(error.contains(text), "{text}: {error}");
    }
}

/// Applies each change to a record of its own, and asserts that it passes `check`.
pub(super) fn assert_holds(check: impl Fn(&PredictionRecord) -> Result<(), String>, changes: &[Change]) {
    for (case, change) in changes.iter().enumerate() {
        let mut record = certified_record();
        change(&mut record);
        assert_eq!(check(&record), Ok(()), "case {case}");
    }
}
