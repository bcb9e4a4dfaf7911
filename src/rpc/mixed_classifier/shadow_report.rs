//! Encodes the response to GetShadowReport.

use super::{encode, proto};
use crate::classifier::{MixedClassifier, RADIUS_BOUNDS, ShadowRow, TargetRadius};

/// The counts of the serving mixture and of each candidate. Without candidates, the provenance alone.
pub(super) fn response(classifier: &MixedClassifier) -> proto::GetShadowReportResponse {
    let provenance = Some(encode::provenance(classifier.provenance()));
    let Some(report) = classifier.shadow_report() else {
        return proto::GetShadowReportResponse {
            provenance,
            ..Default::default()
        };
    };
    let shadow_row = |row: &ShadowRow| shadow_row(row, classifier);
    proto::GetShadowReportResponse {
        provenance,
        serving: Some(shadow_row(&report.serving)),
        candidates: report.candidates.iter().map(shadow_row).collect(),
        since_unix_ms: encode::unix_ms(report.since),
        since_revision: report.since_revision,
        on_the_way: report.alpha_ramping,
        dropped: report.dropped,
        radius_bounds: RADIUS_BOUNDS.to_vec(),
        norm: encode::norm(classifier.info().norm).into(),
        draws_votes: classifier.draws_votes(),
    }
}

fn shadow_row(row: &ShadowRow, classifier: &MixedClassifier) -> proto::ShadowRow {
    let counts = &row.counts;
    let target = classifier
        .predict_target_with(row.mixture.weights.alpha().get())
        .and_then(|target| target.target);
    proto::ShadowRow {
        alpha: row.mixture.weights.alpha().get(),
        fallback_alpha: Some(row.mixture.weights.fallback_alpha().get()),
        robust_temperature: row.mixture.robust_temperature.get(),
        inputs: counts.inputs,
        agreements: counts.agreements,
        standard_agreements: counts.standard_agreements,
        certified: counts.certified,
        gained: counts.gained,
        lost: counts.lost,
        unfinished: counts.unfinished,
        open: counts.open,
        likely: counts.likely,
        votes: counts.votes,
        radii: counts.radii.buckets.to_vec(),
        radius_sum: counts.radii.sum,
        predict_target_in_force: target.map_or(0.0, TargetRadius::in_force),
    }
}
