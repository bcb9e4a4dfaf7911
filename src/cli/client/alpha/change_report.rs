//! What a change of alpha did: the old and the new value, the largest radius, and what the shadow
//! counts said.

use serde_json::{Value, json};

use super::served_alpha::{ServedAlpha, is_same};
use crate::cli::client::shadow::row_text::{certified_share, share};
use crate::cli::output;
use crate::rpc::proto::{GetShadowReportResponse, ShadowRow};

/// The shadow counts of the new alpha, taken before the change: it restarts them.
pub(super) struct ShadowCounts {
    serving: ShadowRow,
    candidate: ShadowRow,
    /// The fallback alpha of the candidate, if the new mixture will have another.
    other_fallback: Option<f64>,
}

impl ShadowCounts {
    /// The counts of a candidate with `alpha` and the served temperature that has seen at least one
    /// input; of several, that with `fallback_alpha`.
    pub(super) fn of(report: GetShadowReportResponse, alpha: f64, fallback_alpha: Option<f64>) -> Option<Self> {
        let serving = report.serving?;
        let fits = |row: &ShadowRow| {
            is_same(row.alpha, alpha) && is_same(row.robust_temperature, serving.robust_temperature) && row.inputs > 0
        };
        let candidates: Vec<ShadowRow> = report.candidates.into_iter().filter(fits).collect();
        let exact = candidates.iter().find(|row| row.fallback_alpha == fallback_alpha);
        let candidate = exact.or(candidates.first()).cloned()?;
        Some(Self {
            // A server of an earlier version has one weight for every input.
            other_fallback: candidate.fallback_alpha.filter(|&found| Some(found) != fallback_alpha),
            serving,
            candidate,
        })
    }

    fn to_line(&self) -> String {
        let Self {
            serving,
            candidate,
            other_fallback,
        } = self;
        let fallback = other_fallback.map(|fallback| format!(" with fallback_alpha {fallback}"));
        format!(
            "shadow counts of {} inputs at {}{}: {} certified ({} at {}), the served class for {}",
            candidate.inputs,
            candidate.alpha,
            fallback.unwrap_or_default(),
            certified_share(candidate),
            certified_share(serving),
            serving.alpha,
            share(candidate.agreements, candidate.inputs)
        )
    }

    fn to_json(&self) -> Value {
        let row = |row: &ShadowRow| {
            json!({
                "alpha": row.alpha,
                "fallback_alpha": row.fallback_alpha,
                "inputs": row.inputs,
                "certified": row.certified,
                "open": row.open,
                "agreements": row.agreements,
            })
        };
        json!({ "serving": row(&self.serving), "candidate": row(&self.candidate) })
    }
}

/// A change that the server has put in force, or whose ramp it has started.
pub(super) struct ChangeReport {
    pub(super) before: ServedAlpha,
    pub(super) after: ServedAlpha,
    pub(super) shadow: Option<ShadowCounts>,
}

impl ChangeReport {
    /// Prints a few lines and warnings, or one JSON object.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return output::line(self.to_json());
        }
        for line in self.to_lines() {
            output::line(line)?;
        }
        self.after.print_notes();
        Ok(())
    }

    fn to_lines(&self) -> Vec<String> {
        let (before, after) = (&self.before, &self.after);
        let has_same_alpha = is_same(before.alpha, after.alpha) && is_same(before.alpha, after.config.target_alpha);
        if has_same_alpha && before.fallback_alpha == after.fallback_alpha {
            return vec![format!("unchanged: alpha {}", after.to_text())];
        }
        let mut lines = vec![format!("alpha {} → {}", before.alpha, after.to_text())];
        if before.largest_radius > 0.0 || after.largest_radius > 0.0 {
            lines.push(format!(
                "largest radius {} → {}{}",
                radius_text(before.largest_radius),
                radius_text(after.largest_radius),
                norm_text(after, before)
            ));
        }
        lines.extend(self.shadow.as_ref().map(ShadowCounts::to_line));
        lines
    }

    fn to_json(&self) -> Value {
        let mut object = self.after.to_json();
        object["previous_alpha"] = json!(self.before.alpha);
        object["previous_largest_possible_radius"] = json!(self.before.largest_radius);
        object["shadow"] = self.shadow.as_ref().map_or(Value::Null, ShadowCounts::to_json);
        object
    }
}

/// Four decimals, rounded down: no radius is shown larger than it is.
fn radius_text(radius: f64) -> String {
    if radius <= 0.0 {
        return "none".to_owned();
    }
    format!("{:.4}", (radius * 1e4).floor() / 1e4)
}

fn norm_text(after: &ServedAlpha, before: &ServedAlpha) -> String {
    let norm = if after.norm.is_empty() {
        &before.norm
    } else {
        &after.norm
    };
    if norm.is_empty() {
        String::new()
    } else {
        format!(" ({norm})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{ConfigStatus, GetModelInfoResponse, Norm, Provenance};

    fn served(alpha: f64, target_alpha: f64, radius: f64) -> ServedAlpha {
        ServedAlpha::from(GetModelInfoResponse {
            provenance: Some(Provenance {
                alpha,
                config_revision: "0123456789abcdef".into(),
                ..Default::default()
            }),
            largest_possible_radius: radius,
            norm: Norm::L2.into(),
            config: Some(ConfigStatus {
                target_alpha,
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    fn row(alpha: f64, certified: u64, agreements: u64) -> ShadowRow {
        ShadowRow {
            alpha,
            inputs: 200,
            certified,
            agreements,
            ..Default::default()
        }
    }

    #[test]
    fn a_change_shows_both_values_the_radius_and_the_counts() {
        let shadow = GetShadowReportResponse {
            serving: Some(row(0.76, 100, 200)),
            candidates: vec![row(0.7, 90, 190), row(0.8, 120, 196)],
            ..Default::default()
        };
        let report = ChangeReport {
            before: served(0.76, 0.76, 0.341_29),
            after: served(0.8, 0.8, 0.401_99),
            shadow: ShadowCounts::of(shadow.clone(), 0.8, None),
        };
        assert_eq!(
            report.to_lines(),
            [
                "alpha 0.76 → 0.8, config 0123456789ab",
                "largest radius 0.3412 → 0.4019 (l2)",
                "shadow counts of 200 inputs at 0.8: 60.0 % certified (50.0 % at 0.76), the served class for 98.0 %",
            ]
        );
        assert_eq!(report.to_json()["shadow"]["candidate"]["certified"], 120);
        assert!(ShadowCounts::of(shadow, 0.9, None).is_none());
    }

    #[test]
    fn the_counts_are_those_of_the_mixture_that_will_serve() {
        let candidate = |fallback_alpha: f64, certified: u64| ShadowRow {
            fallback_alpha: Some(fallback_alpha),
            ..row(0.8, certified, 190)
        };
        let other_temperature = ShadowRow {
            robust_temperature: 2.0,
            ..candidate(0.0, 1)
        };
        let report = GetShadowReportResponse {
            serving: Some(row(0.76, 100, 200)),
            candidates: vec![other_temperature, candidate(0.0, 110), candidate(0.8, 120)],
            ..Default::default()
        };
        let exact = ShadowCounts::of(report.clone(), 0.8, Some(0.8)).unwrap();
        assert_eq!((exact.candidate.certified, exact.other_fallback), (120, None));
        let near = ShadowCounts::of(report, 0.8, Some(0.5)).unwrap();
        assert!(
            near.to_line().contains("at 0.8 with fallback_alpha 0: "),
            "{}",
            near.to_line()
        );
    }

    #[test]
    fn a_change_that_ends_all_certificates_says_so() {
        let report = ChangeReport {
            before: served(0.76, 0.76, 0.3),
            after: served(0.5, 0.5, 0.0),
            shadow: None,
        };
        assert_eq!(report.to_lines()[1], "largest radius 0.3000 → none (l2)");
        let unchanged = ChangeReport {
            before: served(0.8, 0.8, 0.3),
            after: served(0.8, 0.8, 0.3),
            shadow: None,
        };
        assert_eq!(unchanged.to_lines(), ["unchanged: alpha 0.8, config 0123456789ab"]);
        let unknown = ChangeReport {
            before: served(0.76, 0.76, 0.0),
            after: served(0.75, 0.8, 0.0),
            shadow: None,
        };
        assert_eq!(
            unknown.to_lines(),
            ["alpha 0.76 → 0.75 (ramping to 0.8), config 0123456789ab"]
        );
    }
}
