//! The output of `certimix info --json`: `GetModelInfoResponse` with the field names of the wire.

use serde_json::{Value, json};

use crate::cli::client::results::{ProvenanceRecord, basis_name, bound_name, method_name, norm_name};
use crate::rpc::proto::{CertificationLimits, ConfigStatus, GetModelInfoResponse, ModelInfo, PendingError};

/// The response as one JSON object.
pub(super) fn info_json(info: &GetModelInfoResponse) -> Value {
    json!({
        "provenance": info.provenance.clone().map(ProvenanceRecord::from),
        "standard": info.standard.as_ref().map(model_json),
        "robust": info.robust.as_ref().map(model_json),
        "labels": info.labels,
        "input": info.input.as_ref().map(|input| json!({
            "name": input.name, "shape": input.shape, "low": input.low, "high": input.high,
            "accepts_uint8": input.accepts_uint8, "grid_step": input.grid_step,
        })),
        "norm": norm_name(info.norm),
        "method": method_name(info.method),
        "unavailable_reason": info.unavailable_reason,
        "certification": info.certification.as_ref().map(limits_json),
        "max_inputs": info.max_inputs,
        "max_message_bytes": info.max_message_bytes,
        "largest_possible_radius": info.largest_possible_radius,
        "config": info.config.as_ref().map(config_json),
    })
}

fn config_json(config: &ConfigStatus) -> Value {
    json!({
        "file_sha256": config.file_sha256, "since_unix_ms": config.since_unix_ms, "target_alpha": config.target_alpha,
        "target_fallback_alpha": config.target_fallback_alpha,
        "reloads": config.reloads, "failed_reloads": config.failed_reloads,
        "pending_error": config.pending_error.as_ref().map(pending_error_json),
        "access_reloads": config.access_reloads, "failed_access_reloads": config.failed_access_reloads,
        "access_pending_error": config.access_pending_error.as_ref().map(pending_error_json),
        "overridden_keys": config.overridden_keys.iter()
            .map(|found| json!({"key": found.key, "variable": found.variable}))
            .collect::<Vec<_>>(),
    })
}

fn pending_error_json(error: &PendingError) -> Value {
    json!({
        "file_sha256": error.file_sha256, "since_unix_ms": error.since_unix_ms,
        "violations": error.violations.iter()
            .map(|violation| json!({"field": violation.field, "description": violation.description}))
            .collect::<Vec<_>>(),
    })
}

fn model_json(model: &ModelInfo) -> Value {
    json!({
        "name": model.name, "sha256": model.sha256, "provider": model.provider, "provider_note": model.provider_note,
        "guarantee": model.guarantee, "guarantee_source": model.guarantee_source,
        "guarantee_basis": basis_name(model.guarantee_basis), "guarantee_basis_reason": model.guarantee_basis_reason,
        "sessions": model.sessions, "max_batch_size": model.max_batch_size,
        "one_row_reason": model.one_row_reason,
    })
}

fn limits_json(limits: &CertificationLimits) -> Value {
    json!({
        "default_votes": limits.default_votes, "max_votes": limits.max_votes, "selection_votes": limits.selection_votes,
        "failure_probability": limits.failure_probability, "min_failure_probability": limits.min_failure_probability,
        "predict_target_radius": limits.predict_target_radius, "predict_votes": limits.predict_votes,
        "bound": bound_name(limits.bound), "interactive_votes": limits.interactive_votes,
        "predict_target_in_force": limits.predict_target_in_force,
        "largest_predict_target": limits.largest_predict_target,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{CertificateMethod, FieldViolation};

    #[test]
    fn fields_have_the_names_of_the_wire() {
        let info = GetModelInfoResponse {
            robust: Some(ModelInfo {
                guarantee: "gaussian smoothing".into(),
                ..Default::default()
            }),
            method: CertificateMethod::Tight.into(),
            ..Default::default()
        };
        let value = info_json(&info);
        assert_eq!(
            (&value["method"], &value["robust"]["guarantee"]),
            (&json!("tight"), &json!("gaussian smoothing"))
        );
        assert_eq!(value["standard"], Value::Null);
    }

    #[test]
    fn a_rejected_file_is_listed_with_its_fields() {
        let config = ConfigStatus {
            pending_error: Some(PendingError {
                violations: vec![FieldViolation {
                    field: "mixture.alpha".into(),
                    description: "expected 0 to 1".into(),
                }],
                ..Default::default()
            }),
            ..Default::default()
        };
        let violations = &config_json(&config)["pending_error"]["violations"];
        assert_eq!(
            violations,
            &json!([{"field": "mixture.alpha", "description": "expected 0 to 1"}])
        );
        assert_eq!(config_json(&ConfigStatus::default())["pending_error"], Value::Null);
    }
}
