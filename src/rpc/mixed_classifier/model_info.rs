//! Encodes the response to GetModelInfo.

use super::answer::max_inputs;
use super::{encode, proto};
use crate::classifier::{ModelSummary, TargetRadius};
use crate::domain::{MAX_CAVEAT_BYTES, ModelGuarantee, Violation, cut};
use crate::live::{ConfigStatus, PendingError, Snapshot};
use crate::onnx::OutputKind;

/// The models, the input, the limits and the configuration that `snapshot` and `status` hold.
pub(super) fn response(snapshot: &Snapshot, status: &ConfigStatus) -> proto::GetModelInfoResponse {
    let Snapshot { classifier, server } = snapshot;
    let predict_target = classifier.predict_target();
    let (info, spec, limits) = (classifier.info(), classifier.spec(), classifier.certification());
    proto::GetModelInfoResponse {
        provenance: Some(encode::provenance(classifier.provenance())),
        standard: Some(model_info(info.standard, info.total_variation)),
        robust: Some(model_info(info.robust, info.total_variation)),
        labels: classifier.labels().to_vec(),
        input: Some(proto::InputInfo {
            name: spec.name.clone(),
            shape: spec
                .shape
                .iter()
                .map(|&length| i64::from(encode::index(length)))
                .collect(),
            low: spec.low,
            high: spec.high,
            accepts_uint8: spec.accepts_uint8(),
            grid_step: info.grid_step,
        }),
        norm: encode::norm(info.norm).into(),
        method: encode::method(info.method).into(),
        unavailable_reason: info.unavailable_reason.unwrap_or_default(),
        certification: Some(proto::CertificationLimits {
            default_votes: limits.certify_votes,
            max_votes: limits.max_votes,
            selection_votes: limits.selection_votes,
            failure_probability: limits.failure_probability.get(),
            min_failure_probability: limits.min_failure_probability,
            predict_target_radius: limits.predict_target_radius.unwrap_or(0.0),
            predict_votes: limits.predict_votes,
            bound: encode::bound(limits.bound).into(),
            interactive_votes: limits.interactive_votes,
            predict_target_in_force: predict_target
                .and_then(|target| target.target)
                .map_or(0.0, TargetRadius::in_force),
            largest_predict_target: predict_target.map_or(0.0, |target| target.largest),
        }),
        max_inputs: encode::index(max_inputs(snapshot)),
        max_message_bytes: u64::try_from(server.max_message_bytes).unwrap_or(u64::MAX),
        largest_possible_radius: info.largest_possible_radius,
        config: Some(config_status(status)),
        caveat: cut(&info.caveat, MAX_CAVEAT_BYTES).to_owned(),
        smoothing_method: encode::method(info.smoothing_method).into(),
    }
}

fn config_status(status: &ConfigStatus) -> proto::ConfigStatus {
    proto::ConfigStatus {
        file_sha256: status.file_sha256.clone(),
        since_unix_ms: encode::unix_ms(status.since),
        target_alpha: status.target_alpha,
        target_fallback_alpha: Some(status.target_fallback_alpha),
        reloads: status.reloads,
        failed_reloads: status.failed_reloads,
        pending_error: status.pending.as_ref().map(pending_error),
        access_reloads: status.access.reloads,
        failed_access_reloads: status.access.failed_reloads,
        access_pending_error: status.access.pending.as_ref().map(pending_error),
        overridden_keys: status.overridden.iter().map(overridden_key).collect(),
    }
}

fn overridden_key((key, variable): &(String, String)) -> proto::OverriddenKey {
    proto::OverriddenKey {
        key: key.clone(),
        variable: variable.clone(),
    }
}

fn pending_error(pending: &PendingError) -> proto::PendingError {
    proto::PendingError {
        file_sha256: pending.file_sha256.clone(),
        since_unix_ms: encode::unix_ms(pending.since),
        violations: pending.violations.0.iter().map(field_violation).collect(),
    }
}

fn field_violation(violation: &Violation) -> proto::FieldViolation {
    proto::FieldViolation {
        field: violation.field.clone(),
        description: violation.message.clone(),
    }
}

fn model_info(summary: ModelSummary, total_variation: f64) -> proto::ModelInfo {
    let (basis, reason) = summary
        .guarantee_basis
        .map(|guarantee| (guarantee.basis, guarantee.reason))
        .unzip();
    proto::ModelInfo {
        name: summary.name,
        sha256: summary.sha256,
        provider: summary.provider.to_owned(),
        provider_note: summary.provider_note,
        guarantee: summary.guarantee.name().to_owned(),
        guarantee_source: summary.guarantee_source,
        sessions: encode::index(summary.sessions),
        max_batch_size: encode::index(summary.max_batch_size),
        one_row_reason: summary.one_row_reason.unwrap_or_default(),
        guarantee_basis: encode::basis(basis).into(),
        guarantee_basis_reason: reason.unwrap_or_default(),
        output_kind: match summary.output_kind {
            OutputKind::Logits => proto::OutputKind::Logits,
            OutputKind::Probabilities => proto::OutputKind::Probabilities,
        }
        .into(),
        guarantee_parameters: guarantee(summary.guarantee, total_variation),
    }
}

/// The guarantee with its numbers. `total_variation` is that of the noise of a smoothed model.
fn guarantee(guarantee: ModelGuarantee, total_variation: f64) -> Option<proto::Guarantee> {
    use proto::guarantee::Kind;
    let kind = match guarantee {
        ModelGuarantee::None => return None,
        ModelGuarantee::LipschitzProbabilities {
            norm,
            constants,
            neighbourhood,
            error_bound,
        } => Kind::LipschitzProbabilities(proto::LipschitzProbabilities {
            norm: encode::norm(Some(norm)).into(),
            constants,
            neighbourhood,
            error_bound,
        }),
        ModelGuarantee::LipschitzLogits {
            norm,
            constant,
            vector_valued,
            error_bound,
        } => Kind::LipschitzLogits(proto::LipschitzLogits {
            norm: encode::norm(Some(norm)).into(),
            constant,
            vector_valued,
            error_bound,
        }),
        ModelGuarantee::GaussianSmoothing { sigma, levels } => Kind::GaussianSmoothing(proto::GaussianSmoothing {
            sigma,
            levels,
            total_variation,
        }),
    };
    Some(proto::Guarantee { kind: Some(kind) })
}
