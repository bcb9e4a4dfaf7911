//! The header of the records that a run writes.

use std::time::SystemTime;

use crate::classifier::OutputConditions;
use crate::domain::PerRole;
use crate::evaluation::{DataSetIdentity, EvaluatedModel, EvaluationHeader, EvaluationSettings, SamplingConditions};
use crate::settings::Settings;

/// Describes a run under `settings` with `estimation_votes` for each input. `data_set` is its name and
/// its digest.
pub(super) fn run_header(
    settings: &Settings,
    conditions: OutputConditions,
    data_set: (String, String),
    estimation_votes: u64,
    noise_secret: [u8; 32],
) -> EvaluationHeader {
    let certificate = &settings.certificate;
    let models = PerRole::of(|role| EvaluatedModel {
        name: conditions.models[role].name.clone(),
        sha256: conditions.models[role].sha256.clone(),
        output_kind: conditions.output_kinds[role],
    });
    EvaluationHeader {
        data_set: DataSetIdentity {
            name: data_set.0,
            sha256: data_set.1,
        },
        models,
        labels: conditions.labels,
        input: conditions.spec,
        guarantee: conditions.guarantee,
        guarantee_basis: conditions.models.robust.guarantee_basis,
        caveat: conditions.caveat,
        sampling: conditions.total_variation.map(|total_variation| SamplingConditions {
            selection_votes: certificate.selection_votes,
            estimation_votes,
            total_variation,
            noise_secret,
        }),
        settings: EvaluationSettings::of(settings),
        environment: conditions.environment,
        created: humantime::format_rfc3339_seconds(wall_clock()).to_string(),
        certimix_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the date of the file; no result depends on it")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
