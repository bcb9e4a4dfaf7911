//! What is served, on the wire.

use super::{encode, proto};
use crate::classifier::{MixedClassifier, ModelSummary};
use crate::settings::ServerSettings;

/// The answer to GetModelInfo.
pub(super) fn response(classifier: &MixedClassifier, server: &ServerSettings) -> proto::GetModelInfoResponse {
    let (info, spec, limits) = (classifier.info(), classifier.spec(), classifier.certification());
    proto::GetModelInfoResponse {
        provenance: Some(encode::provenance(classifier.provenance())),
        standard: Some(model(info.standard)),
        robust: Some(model(info.robust)),
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
        }),
        max_inputs: encode::index(server.max_inputs),
        max_message_bytes: u64::try_from(server.max_message_bytes).unwrap_or(u64::MAX),
        largest_possible_radius: info.largest_possible_radius,
    }
}

fn model(summary: ModelSummary) -> proto::ModelInfo {
    proto::ModelInfo {
        name: summary.name,
        sha256: summary.sha256,
        provider: summary.provider.to_owned(),
        provider_note: summary.provider_note,
        guarantee: summary.guarantee.to_owned(),
        guarantee_source: summary.guarantee_source,
        sessions: encode::index(summary.sessions),
        max_batch_size: encode::index(summary.max_batch_size),
    }
}
