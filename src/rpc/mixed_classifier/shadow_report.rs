//! What other alphas would have answered, on the wire.

use super::model_info::unix_ms;
use super::{encode, proto};
use crate::classifier::{MixedClassifier, RADIUS_BOUNDS, ShadowRow};

/// The answer to GetShadowReport.
pub(in crate::rpc) fn response(classifier: &MixedClassifier) -> proto::GetShadowReportResponse {
    let provenance = Some(encode::provenance(classifier.provenance()));
    let Some(report) = classifier.shadow_report() else {
        return proto::GetShadowReportResponse {
            provenance,
            ..Default::default()
        };
    };
    proto::GetShadowReportResponse {
        provenance,
        serving: Some(row(&report.serving)),
        candidates: report.candidates.iter().map(row).collect(),
        since_unix_ms: unix_ms(report.since),
        since_revision: report.since_revision,
        on_the_way: report.alpha_ramping,
        dropped: report.dropped,
        radius_bounds: RADIUS_BOUNDS.to_vec(),
        norm: encode::norm(classifier.info().norm).into(),
        draws_votes: classifier.draws_votes(),
    }
}

fn row(row: &ShadowRow) -> proto::ShadowRow {
    let counts = &row.counts;
    proto::ShadowRow {
        alpha: row.alpha,
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
    }
}
