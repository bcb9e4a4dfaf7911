//! The report of the records of an evaluation.

use std::iter;

use super::confidence::{CONFIDENCE_TEXT, intervals_of};
use super::data::{ClassCounts, MixtureResult, ReportData, ReportSource, RobustCurve, VoteStatistics};
use super::disagreement_examples::disagreements_of;
use super::facts::measured_facts;
use super::frontier::frontiers;
use super::papers_radius::{summaries_with_papers_radius, theorem_of};
use super::setting_grid::{index_of, setting_grid};
use crate::evaluation::alpha_command::setting_command;
use crate::evaluation::recompute::{RadiusGrid, Recomputation, RecomputeError, Setting, SettingSummary};
use crate::evaluation::record::EvaluationHeader;

/// What a report of records depends on beside the records.
pub struct RecordsReport<'a> {
    /// The header of the file.
    pub header: &'a EvaluationHeader,
    /// The records of the file.
    pub recomputation: &'a Recomputation<'a>,
    /// The recommended setting.
    pub recommended: Option<Setting>,
    /// The radius that the page shows first; `None` for the target radius of the service, or a
    /// quarter of the largest radius.
    pub radius: Option<f64>,
    /// The settings file that the commands of the page change.
    pub settings_file: &'a str,
}

impl RecordsReport<'_> {
    /// Computes the report, without images. `progress` is called with numbers of finished answers,
    /// from several threads.
    ///
    /// # Errors
    /// As for [`Recomputation::summaries`].
    pub fn compute(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<ReportData, RecomputeError> {
        let labelled = self.recomputation.with_records(|record| record.label.is_some());
        let is_labelled = !labelled.records().is_empty();
        let recomputation = if is_labelled { &labelled } else { self.recomputation };
        let left_out = self.recomputation.records().len() - recomputation.records().len();

        let in_force = recomputation.in_force();
        let radius = self.radius.or(self.header.settings.predict_target_radius);
        let grid = recomputation.radius_grid(radius.as_slice())?;
        let settings = self.settings()?;
        let summaries = recomputation.summaries(&settings, &grid, progress)?;
        let papers: Vec<usize> = (0..settings.len())
            .filter(|&index| settings.get(index).is_some_and(is_papers))
            .collect();
        let papers_settings: Vec<Setting> = papers
            .iter()
            .filter_map(|&index| settings.get(index).copied())
            .collect();
        let with_papers_radius = summaries_with_papers_radius(self.header, recomputation, &papers_settings, &grid)?;

        let mut mixtures: Vec<MixtureResult> = summaries
            .iter()
            .map(|summary| self.mixture_result(summary, is_labelled))
            .collect();
        for (&index, summary) in papers.iter().zip(&with_papers_radius) {
            if let Some(mixture) = mixtures.get_mut(index) {
                mixture.papers_radius = Some(certified_counts(summary, is_labelled));
            }
        }
        let recommended = self.recommended.and_then(|setting| index_of(&settings, &setting));
        let in_force_index = index_of(&settings, &in_force);
        let radii: Vec<f64> = iter::once(0.0).chain(grid.radii().iter().copied()).collect();
        let standard = recomputation.summaries(&[in_force.with_mixture(0.0, 0.0, 1.0)?], &grid, &|_| {})?;
        let inputs = standard.first().map_or(0, |summary| summary.inputs);
        let robust_alone = robust_alone(recomputation, &settings, &grid, is_labelled)?;
        Ok(ReportData {
            title: format!(
                "{} and {} on {}",
                self.header.models.standard.name, self.header.models.robust.name, self.header.data_set.name
            ),
            subtitle: format!("evaluated {}", self.header.created),
            source: ReportSource::Records,
            measured: measured_facts(self.header),
            notes: self.notes(is_labelled, left_out),
            inputs,
            labelled: is_labelled,
            draws_votes: self.header.sampling.is_some(),
            norm: self
                .header
                .guarantee
                .norm()
                .map_or_else(String::new, |norm| norm.to_string()),
            papers_theorem: theorem_of(&self.header.guarantee).unwrap_or_default().to_owned(),
            shown_radius: shown_radius(&grid, radius),
            histogram_bounds: grid.radii().to_vec(),
            labels: self.header.labels.clone(),
            selected: recommended.or(in_force_index).unwrap_or(0),
            recommended,
            in_force: in_force_index,
            standard_right: standard.first().filter(|_| is_labelled).map(|summary| summary.right),
            robust_alone,
            frontiers: frontiers(&mixtures, radii.len()),
            confidence: CONFIDENCE_TEXT.to_owned(),
            intervals: intervals_of(&mixtures)?,
            disagreements: Some(disagreements_of(recomputation)?),
            radii,
            mixtures,
        })
    }

    /// The settings of the page: a grid with the settings in force and recommended.
    fn settings(&self) -> Result<Vec<Setting>, RecomputeError> {
        let also: Vec<Setting> = iter::once(self.recomputation.in_force())
            .chain(self.recommended)
            .collect();
        Ok(setting_grid(self.recomputation, &also)?)
    }

    /// A bound on the number of answers that [`Self::compute`] reports to its `progress`.
    ///
    /// # Errors
    /// As for [`Self::compute`].
    pub fn expected_answers(&self) -> Result<u64, RecomputeError> {
        let answers = self
            .settings()?
            .len()
            .saturating_mul(self.recomputation.records().len());
        Ok(u64::try_from(answers).unwrap_or(u64::MAX))
    }

    fn mixture_result(&self, summary: &SettingSummary, is_labelled: bool) -> MixtureResult {
        let setting = &summary.setting;
        let has_votes = !summary.votes.is_empty();
        MixtureResult {
            alpha: setting.alpha(),
            robust_temperature: setting.robust_temperature(),
            fallback_alpha: setting.fallback_alpha(),
            inputs: summary.inputs,
            right: is_labelled.then_some(summary.right),
            as_standard: Some(summary.standard_agreements),
            certified: certified_counts(summary, is_labelled),
            uncertified: summary.abstained + summary.unavailable,
            open: summary.unfinished,
            papers_radius: None,
            histogram: histogram(summary),
            classes: if is_labelled { class_counts(summary) } else { Vec::new() },
            votes: has_votes.then(|| VoteStatistics {
                mean: summary.mean_votes(),
                p50: Some(summary.votes_quantile(0.5)),
                p99: Some(summary.votes_quantile(0.99)),
            }),
            command: setting_command(setting, &self.recomputation.in_force(), self.settings_file),
        }
    }

    fn notes(&self, is_labelled: bool, left_out: usize) -> Vec<String> {
        let mut notes = Vec::new();
        if !is_labelled {
            notes.push(
                "The data set states no classes, so this page cannot tell which answers are right. It compares with \
                 the class of g, and counts certified answers whether they are right or not."
                    .to_owned(),
            );
        }
        if left_out > 0 {
            notes.push(format!("{left_out} inputs without a label are left out."));
        }
        if !self.header.caveat.is_empty() {
            notes.push(self.header.caveat.clone());
        }
        notes.push(
            "Every number is counted on these inputs. The best of many mixtures looks better here than on new inputs."
                .to_owned(),
        );
        notes
    }
}

#[expect(clippy::float_cmp, reason = "the paper's mixture is defined by equal weights")]
fn is_papers(setting: &Setting) -> bool {
    setting.alpha() == setting.fallback_alpha()
}

/// The counts at radius 0 (any certificate) and at each radius of the grid.
fn certified_counts(summary: &SettingSummary, is_labelled: bool) -> Vec<u64> {
    let (any, at) = if is_labelled {
        (summary.right_certified, &summary.right_certified_at)
    } else {
        (summary.certified, &summary.certified_at)
    };
    iter::once(any).chain(at.iter().copied()).collect()
}

/// The certified inputs between two radii of the grid, and those below the first and from the last.
fn histogram(summary: &SettingSummary) -> Vec<u64> {
    let from = iter::once(&summary.certified).chain(&summary.certified_at);
    let to = summary.certified_at.iter().chain(&[0]);
    from.zip(to).map(|(from, to)| from.saturating_sub(*to)).collect()
}

fn class_counts(summary: &SettingSummary) -> Vec<ClassCounts> {
    summary
        .classes
        .iter()
        .map(|class| ClassCounts(class.inputs, class.right, class.right_certified))
        .collect()
}

/// The index among the radii of the page (0, then the grid) of `radius`, or of a quarter of the grid.
fn shown_radius(grid: &RadiusGrid, radius: Option<f64>) -> usize {
    radius
        .and_then(|radius| grid.index_of(radius))
        .map_or(grid.radii().len().div_ceil(4), |index| index + 1)
}

/// The robust model alone at each temperature of `settings`.
fn robust_alone(
    recomputation: &Recomputation<'_>,
    settings: &[Setting],
    grid: &RadiusGrid,
    is_labelled: bool,
) -> Result<Vec<RobustCurve>, RecomputeError> {
    let mut temperatures: Vec<f64> = settings.iter().map(Setting::robust_temperature).collect();
    temperatures.sort_by(f64::total_cmp);
    temperatures.dedup();
    let alone = temperatures
        .into_iter()
        .map(|temperature| recomputation.in_force().with_mixture(1.0, 1.0, temperature))
        .collect::<Result<Vec<_>, _>>()?;
    let summaries = recomputation.summaries(&alone, grid, &|_| {})?;
    Ok(summaries
        .iter()
        .map(|summary| RobustCurve {
            robust_temperature: summary.setting.robust_temperature(),
            right: is_labelled.then_some(summary.right),
            as_standard: Some(summary.standard_agreements),
            certified: certified_counts(summary, is_labelled),
        })
        .collect())
}
