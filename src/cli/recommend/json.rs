//! The recommendation as JSON.

use serde_json::{Value, json};

use crate::evaluation::EvaluationHeader;
use crate::evaluation::recommend::{Constraint, Estimate, Interval, PairedChange, Recommendation, Verdict};

pub(super) fn recommendation_json(header: &EvaluationHeader, recommendation: &Recommendation) -> Value {
    let held_aside = &recommendation.held_aside;
    let [seconds, seconds_in_force] = recommendation.seconds;
    json!({
        "objective": recommendation.objective.to_string(),
        "radius": recommendation.objective.radius,
        "fits": recommendation.fits,
        "confidence": recommendation.confidence,
        "data_set": { "name": header.data_set.name, "sha256": header.data_set.sha256 },
        "labels": header.labels,
        "radii": recommendation.grid.radii(),
        "recommended": recommendation.recommended.to_json(),
        "in_force": recommendation.in_force.to_json(),
        "seconds": { "recommended": seconds, "in_force": seconds_in_force },
        "search": {
            "inputs": recommendation.searched_inputs,
            "settings": recommendation.compared_settings,
            "clean_accuracy": recommendation.searched.clean_accuracy(),
            "certified": recommendation.searched.certified_share(),
        },
        "held_aside": {
            "rule": "the first bit of the SHA-256 of the id is 1",
            "inputs": held_aside.inputs,
            "clean_accuracy": estimate_json(&held_aside.clean_accuracy),
            "certified": estimate_json(&held_aside.certified),
            "cost": held_aside.cost.map(|(mean, interval)| json!({ "mean": mean, "interval": interval_json(interval) })),
            "clean_accuracy_change": change_json(&held_aside.comparison.right),
            "certified_change": change_json(&held_aside.comparison.certified),
            "constraints": held_aside.verdicts.iter().map(|verdict| {
                let (name, bound) = match verdict.constraint {
                    Constraint::MinCleanAccuracy(least) => ("min_clean_accuracy", json!(least)),
                    Constraint::MinCertified(least) => ("min_certified", json!(least)),
                    Constraint::MaxP99Votes(most) => ("max_p99_votes", json!(most)),
                };
                json!({
                    "name": name,
                    "bound": bound,
                    "verdict": verdict_name(verdict.verdict),
                    "estimate": estimate_json(&verdict.estimate),
                })
            }).collect::<Vec<_>>(),
        },
        "missing_evidence": recommendation.missing_evidence,
    })
}

pub(super) fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Confirmed => "confirmed",
        Verdict::Undecided => "undecided",
        Verdict::Refuted => "refuted",
    }
}

fn interval_json(interval: Interval) -> Value {
    json!([interval.low, interval.high])
}

fn estimate_json(estimate: &Estimate) -> Value {
    json!({
        "count": estimate.count,
        "inputs": estimate.inputs,
        "share": estimate.share(),
        "interval": interval_json(estimate.interval),
    })
}

fn change_json(change: &PairedChange) -> Value {
    json!({
        "mended": change.gained,
        "broken": change.lost,
        "inputs": change.inputs,
        "difference": change.difference(),
        "interval": interval_json(change.interval),
        "p_value": change.p_value,
    })
}
