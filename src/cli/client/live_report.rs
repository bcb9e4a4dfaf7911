//! The report of the shadow counts of a running service, for `certimix report --live`.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::bail;

use super::connection::{ConnectionArgs, ServerConnection};
use super::results::{basis_name, norm_name};
use super::shadow::{NO_CANDIDATES, shadow_report};
use crate::evaluation::report::{
    MeasuredFact, MixtureResult, ReportData, ReportSource, RobustCurve, VoteStatistics, frontiers,
};
use crate::evaluation::{alpha_command, changed_temperature};
use crate::rpc::proto::{GetModelInfoResponse, GetShadowReportResponse, ModelInfo, Norm, ShadowRow};

/// Fetches the shadow counts of a service, and makes a report of them. `settings_file` is the file
/// that the commands of the report change.
///
/// # Errors
/// When the service is unreachable, evaluates no other mixture, or has answered nothing since its
/// counts began.
pub async fn live_report(args: &ConnectionArgs, settings_file: &str) -> anyhow::Result<ReportData> {
    let connection = ServerConnection::open(args).await?;
    let info = connection.model_info().await?;
    let counts = shadow_report(&connection).await?;
    let Some(serving) = counts.serving.clone() else {
        bail!(NO_CANDIDATES);
    };
    if serving.inputs == 0 {
        bail!("the service has answered nothing since its shadow counts began: send it requests first");
    }
    Ok(LiveCounts {
        address: &connection.address,
        settings_file,
        info: &info,
        counts: &counts,
        serving: &serving,
    }
    .report())
}

/// What a service has counted.
struct LiveCounts<'a> {
    address: &'a str,
    settings_file: &'a str,
    info: &'a GetModelInfoResponse,
    counts: &'a GetShadowReportResponse,
    serving: &'a ShadowRow,
}

impl LiveCounts<'_> {
    fn report(&self) -> ReportData {
        let mut mixtures = vec![self.mixture_result(self.serving)];
        for row in &self.counts.candidates {
            let result = self.mixture_result(row);
            if !mixtures.iter().any(|other| is_same_mixture(other, &result)) {
                mixtures.push(result);
            }
        }
        let bounds = &self.counts.radius_bounds;
        let radii: Vec<f64> = std::iter::once(0.0).chain(bounds.iter().copied()).collect();
        let name = |model: &Option<ModelInfo>| model.as_ref().map_or("?", |model| model.name.as_str()).to_owned();
        ReportData {
            title: format!(
                "{} and {} at {}",
                name(&self.info.standard),
                name(&self.info.robust),
                self.address
            ),
            subtitle: format!(
                "shadow counts of live traffic since {}",
                time_text(self.counts.since_unix_ms)
            ),
            source: ReportSource::Live,
            measured: self.facts(),
            notes: self.notes(),
            inputs: self.serving.inputs,
            labelled: false,
            draws_votes: self.counts.draws_votes,
            norm: match self.counts.norm() {
                Norm::Unspecified => String::new(),
                _ => norm_name(self.counts.norm),
            },
            papers_theorem: String::new(),
            shown_radius: radii.len().div_ceil(4).min(radii.len() - 1),
            histogram_bounds: bounds.clone(),
            labels: self.info.labels.clone(),
            selected: 0,
            recommended: None,
            in_force: Some(0),
            standard_right: None,
            robust_alone: robust_alone(&mixtures),
            frontiers: frontiers(&mixtures, radii.len()),
            confidence: String::new(),
            intervals: Vec::new(),
            disagreements: None,
            radii,
            mixtures,
        }
    }

    fn temperature(&self, row: &ShadowRow) -> f64 {
        let served = self.info.provenance.as_ref().map_or(0.0, |it| it.robust_temperature);
        // Older services send no temperature: all their mixtures have the served one.
        [row.robust_temperature, served, 1.0]
            .into_iter()
            .find(|&temperature| temperature > 0.0)
            .unwrap_or(1.0)
    }

    fn mixture_result(&self, row: &ShadowRow) -> MixtureResult {
        // Inputs with a larger radius than each bound. A bucket includes its upper bound.
        let above = (0..self.counts.radius_bounds.len()).map(|bound| row.radii.iter().skip(bound + 1).sum());
        #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
        let mean_votes = row.votes as f64 / row.inputs.max(1) as f64;
        MixtureResult {
            alpha: row.alpha,
            robust_temperature: self.temperature(row),
            fallback_alpha: row.fallback_alpha.unwrap_or(row.alpha),
            inputs: row.inputs,
            right: None,
            as_standard: Some(row.standard_agreements),
            certified: std::iter::once(row.certified).chain(above).collect(),
            uncertified: row.inputs.saturating_sub(row.certified),
            open: row.open,
            papers_radius: None,
            histogram: row.radii.clone(),
            classes: Vec::new(),
            votes: self.counts.draws_votes.then_some(VoteStatistics {
                mean: mean_votes,
                p50: None,
                p99: None,
            }),
            command: self.command(row),
        }
    }

    fn command(&self, row: &ShadowRow) -> String {
        let changed = changed_temperature(self.temperature(row), self.temperature(self.serving));
        let fallback_alpha = row.fallback_alpha.unwrap_or(row.alpha);
        let set = alpha_command(row.alpha, fallback_alpha, changed, self.settings_file);
        format!("{set} --address {}", self.address)
    }

    fn facts(&self) -> Vec<MeasuredFact> {
        let model = |model: &Option<ModelInfo>| {
            model.as_ref().map_or_else(
                || "unknown".to_owned(),
                |model| format!("{}, sha256 {}", model.name, model.sha256),
            )
        };
        let mut facts = vec![
            MeasuredFact::new("service", self.address),
            MeasuredFact::new("standard model g", model(&self.info.standard)),
            MeasuredFact::new("robust model h", model(&self.info.robust)),
        ];
        if let Some(robust) = &self.info.robust {
            facts.push(MeasuredFact::new("guarantee of h", robust.guarantee.clone()));
            if !robust.guarantee_basis_reason.is_empty() {
                let basis = basis_name(robust.guarantee_basis);
                facts.push(MeasuredFact::new(
                    "basis",
                    format!("{basis}: {}", robust.guarantee_basis_reason),
                ));
            }
        }
        facts.push(MeasuredFact::new("counts began", time_text(self.counts.since_unix_ms)));
        facts.push(MeasuredFact::new("config revision", self.counts.since_revision.clone()));
        if let Some(provenance) = &self.info.provenance {
            facts.push(MeasuredFact::new(
                "server",
                format!("certimix {}", provenance.server_version),
            ));
        }
        facts
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            "These are counts of live traffic, whose true classes are unknown. There is no accuracy, no table of classes \
             and no image. \"Same class as g\" stands for accuracy, and a certified answer may be wrong."
                .to_owned(),
            "The page has the mixtures that the service evaluates: the served one, and those of \
             mixture.shadow_candidates."
                .to_owned(),
        ];
        if self.counts.draws_votes {
            notes.push(
                "A candidate is counted on the votes that were drawn for the served mixture. Its certified share is a \
                 lower bound."
                    .to_owned(),
            );
        }
        if self.counts.dropped > 0 {
            notes.push(format!(
                "{} answered inputs were not counted, because the service was busy.",
                self.counts.dropped
            ));
        }
        if self.counts.on_the_way {
            notes.push("A ramp of the weights is in progress: the served counts are of several mixtures.".to_owned());
        }
        notes
    }
}

fn is_same_mixture(one: &MixtureResult, other: &MixtureResult) -> bool {
    (one.alpha, one.robust_temperature, one.fallback_alpha)
        == (other.alpha, other.robust_temperature, other.fallback_alpha)
}

/// The mixtures that are the robust model alone.
fn robust_alone(mixtures: &[MixtureResult]) -> Vec<RobustCurve> {
    mixtures
        .iter()
        .filter(|mixture| mixture.alpha >= 1.0)
        .map(|mixture| RobustCurve {
            robust_temperature: mixture.robust_temperature,
            right: None,
            as_standard: mixture.as_standard,
            certified: mixture.certified.clone(),
        })
        .collect()
}

/// A time in milliseconds since 1970 as RFC 3339.
fn time_text(unix_ms: u64) -> String {
    UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms)).map_or_else(
        || "?".to_owned(),
        |time| humantime::format_rfc3339_seconds(time).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::report::html_page;

    fn row(alpha: f64, fallback_alpha: f64, certified: u64) -> ShadowRow {
        ShadowRow {
            alpha,
            fallback_alpha: Some(fallback_alpha),
            robust_temperature: 0.5,
            inputs: 100,
            standard_agreements: 90,
            certified,
            radii: vec![1, 2, certified - 3],
            votes: 6400,
            ..ShadowRow::default()
        }
    }

    fn report() -> ReportData {
        let counts = GetShadowReportResponse {
            serving: Some(row(0.8, 0.0, 50)),
            candidates: vec![row(0.8, 0.0, 50), row(0.9, 0.9, 60), row(1.0, 1.0, 70)],
            radius_bounds: vec![0.1, 0.2],
            since_unix_ms: 1_700_000_000_000,
            draws_votes: true,
            dropped: 3,
            ..GetShadowReportResponse::default()
        };
        LiveCounts {
            address: "http://127.0.0.1:50051",
            settings_file: "certimix.toml",
            info: &GetModelInfoResponse::default(),
            counts: &counts,
            serving: counts.serving.as_ref().unwrap(),
        }
        .report()
    }

    #[test]
    fn a_live_report_has_the_served_mixture_and_each_candidate_once() {
        let report = report();
        let alphas: Vec<f64> = report.mixtures.iter().map(|mixture| mixture.alpha).collect();
        assert_eq!(alphas, [0.8, 0.9, 1.0]);
        // 1 radius up to 0.1 and 2 up to 0.2; the others are larger.
        assert_eq!(report.mixtures[0].certified, [50, 49, 47]);
        assert_eq!(report.radii, [0.0, 0.1, 0.2]);
        assert_eq!(report.mixtures[0].votes.unwrap().mean, 64.0);
        assert_eq!(report.robust_alone.len(), 1);
        assert!(report.subtitle.ends_with("2023-11-14T22:13:20Z"), "{}", report.subtitle);
    }

    #[test]
    fn a_live_report_says_what_it_cannot_know() {
        let report = report();
        assert!(!report.labelled && report.standard_right.is_none() && report.disagreements.is_none());
        assert!(
            report
                .mixtures
                .iter()
                .all(|mixture| mixture.right.is_none() && mixture.classes.is_empty())
        );
        let notes = report.notes.join("\n");
        for part in ["true classes are unknown", "lower bound", "3 answered inputs"] {
            assert!(notes.contains(part), "{part}: {notes}");
        }
        let page = html_page(&report).unwrap();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/report");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("live.html"), page).unwrap();
    }
}
