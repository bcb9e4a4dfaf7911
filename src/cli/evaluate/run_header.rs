//! The header of the records that a run writes.

use std::time::SystemTime;

use crate::classifier::OutputConditions;
use crate::domain::PerRole;
use crate::evaluation::{DataSetIdentity, EvaluatedModel, EvaluationHeader, EvaluationSettings, SamplingConditions};
use crate::settings::Settings;

/// Describes a run under `settings` with `estimation_votes` for each input.
pub(super) fn run_header(
    settings: &Settings,
    conditions: OutputConditions,
    data_set: DataSetIdentity,
    estimation_votes: u64,
    noise_secret: [u8; 32],
) -> EvaluationHeader {
    let certificate = &settings.certificate;
    let models = PerRole::of(|role| EvaluatedModel {
        name: conditions.models[role].name.clone(),
        sha256: conditions.models[role].sha256.clone(),
        output_kind: conditions.models[role].output_kind,
    });
    EvaluationHeader {
        data_set,
        models,
        labels: conditions.labels,
        input: conditions.spec,
        guarantee: conditions.models.robust.guarantee,
        guarantee_basis: conditions.models.robust.guarantee_basis,
        caveat: conditions.caveat,
        sampling: conditions.total_variation.map(|total_variation| SamplingConditions {
            selection_votes: certificate.selection_votes,
            estimation_votes,
            total_variation,
            noise_secret: Some(noise_secret),
        }),
        settings: EvaluationSettings::of(settings),
        environment: conditions.environment,
        created: start_of_run(),
        certimix_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The date of a run that starts now, RFC 3339, UTC.
#[expect(clippy::disallowed_methods, reason = "the date of the file; no result depends on it")]
pub(super) fn start_of_run() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
