//! The output of `certimix shadow --json`: `GetShadowReportResponse` with the field names of the
//! wire.

use serde_json::{Value, json};

use crate::cli::client::results::{ProvenanceRecord, norm_name};
use crate::rpc::proto::{GetShadowReportResponse, ShadowRow};

/// The report as one JSON object.
pub(super) fn report_json(report: &GetShadowReportResponse) -> Value {
    json!({
        "provenance": report.provenance.clone().map(ProvenanceRecord::from),
        "serving": report.serving.as_ref().map(row_json),
        "candidates": report.candidates.iter().map(row_json).collect::<Vec<_>>(),
        "since_unix_ms": report.since_unix_ms,
        "since_revision": report.since_revision,
        "on_the_way": report.on_the_way,
        "dropped": report.dropped,
        "radius_bounds": report.radius_bounds,
        "norm": norm_name(report.norm),
        "draws_votes": report.draws_votes,
    })
}

fn row_json(row: &ShadowRow) -> Value {
    json!({
        // Older servers send neither of the two: their candidates differ in alpha only.
        "alpha": row.alpha, "fallback_alpha": row.fallback_alpha,
        "robust_temperature": (row.robust_temperature > 0.0).then_some(row.robust_temperature),
        "inputs": row.inputs, "agreements": row.agreements, "standard_agreements": row.standard_agreements,
        "certified": row.certified, "gained": row.gained, "lost": row.lost, "unfinished": row.unfinished, "open": row.open, "likely": row.likely, "votes": row.votes,
        "radii": row.radii, "radius_sum": row.radius_sum, "predict_target_in_force": row.predict_target_in_force,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_candidates_serving_is_null() {
        assert_eq!(report_json(&GetShadowReportResponse::default())["serving"], Value::Null);
    }

    #[test]
    fn a_row_names_its_whole_mixture() {
        let row = ShadowRow {
            alpha: 0.8,
            fallback_alpha: Some(0.0),
            robust_temperature: 0.2,
            ..Default::default()
        };
        let of = |row: &ShadowRow| {
            let value = row_json(row);
            ["alpha", "fallback_alpha", "robust_temperature"].map(|name| value[name].clone())
        };
        assert_eq!(of(&row), [json!(0.8), json!(0.0), json!(0.2)]);
        let older = ShadowRow {
            alpha: 0.8,
            ..Default::default()
        };
        assert_eq!(of(&older), [json!(0.8), Value::Null, Value::Null]);
    }
}
