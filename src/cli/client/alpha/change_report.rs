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
}

impl ShadowCounts {
    /// The counts of `alpha`, if it is a candidate with at least one input.
    pub(super) fn of(report: GetShadowReportResponse, alpha: f64) -> Option<Self> {
        let candidate = report
            .candidates
            .into_iter()
            .find(|row| is_same(row.alpha, alpha) && row.inputs > 0)?;
        Some(Self {
            serving: report.serving?,
            candidate,
        })
    }

    fn to_line(&self) -> String {
        let Self { serving, candidate } = self;
        format!(
            "shadow counts of {} inputs at {}: {} certified ({} at {}), the served class for {}",
            candidate.inputs,
            candidate.alpha,
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
        if is_same(before.alpha, after.alpha) && is_same(before.alpha, after.config.target_alpha) {
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
            shadow: ShadowCounts::of(shadow.clone(), 0.8),
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
        assert!(ShadowCounts::of(shadow, 0.9).is_none());
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
