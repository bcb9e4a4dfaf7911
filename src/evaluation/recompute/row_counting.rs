//! Counts the answers of many settings from one row of each model.
//!
//! A radius depends on the temperature and alpha, and the class of an uncertified answer on the
//! temperature and the selected weight. Each is computed once for all settings that share them.

use super::error::RecomputeError;
use super::radius_grid::RadiusGrid;
use super::setting::Setting;
use super::summary::{AnsweredInput, SettingSummary, SummaryCounter};
use crate::certificate::{Alpha, Temperature};
use crate::classifier::{EvaluatedModels, RecomputedAnswer, RecordedRows, RowsAtTemperature};
use crate::domain::{CertificateStatus, ModelGuarantee, RobustOutput};
use crate::evaluation::record::EvaluationRecord;

/// The settings with one temperature.
struct TemperatureGroup {
    temperature: Temperature,
    alphas: Vec<AlphaGroup>,
    /// Every weight of these settings.
    weights: Vec<Alpha>,
}

/// The settings with one temperature and one alpha.
struct AlphaGroup {
    alpha: Alpha,
    /// The status of an answer without a certificate.
    uncertified: CertificateStatus,
    members: Vec<Member>,
}

/// A setting, and the places of its two weights.
struct Member {
    setting: usize,
    alpha_place: usize,
    fallback_place: usize,
}

/// The counts of `settings` for `records`, all of which have a row of the robust model.
pub(super) fn count_rows(
    models: &EvaluatedModels,
    records: &[&EvaluationRecord],
    settings: &[Setting],
    grid: &RadiusGrid,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<SettingSummary>, RecomputeError> {
    let groups = group(models, settings);
    let mut counters: Vec<SummaryCounter> = settings
        .iter()
        .map(|&setting| SummaryCounter::new(setting, models.classes, grid))
        .collect();
    let answers = u64::try_from(settings.len()).unwrap_or(u64::MAX);
    for record in records {
        if let RobustOutput::Row(robust) = &record.robust {
            let rows = RecordedRows::new(models, &record.standard, robust);
            let input = AnsweredInput {
                label: record.label.and_then(|label| usize::try_from(label).ok()),
                standard_class: rows.standard_class(),
            };
            for group in &groups {
                let at_temperature = rows.at_temperature(group.temperature);
                count_group(group, &at_temperature, input, settings, grid, &mut counters)?;
            }
        }
        progress(answers);
    }
    Ok(counters.into_iter().map(SummaryCounter::finish).collect())
}

/// Counts the answers of the settings of one group for one input.
fn count_group(
    group: &TemperatureGroup,
    rows: &RowsAtTemperature<'_>,
    input: AnsweredInput,
    settings: &[Setting],
    grid: &RadiusGrid,
    counters: &mut [SummaryCounter],
) -> Result<(), RecomputeError> {
    // The class of an uncertified answer at each weight of the group, once it is known.
    let mut classes: Vec<Option<usize>> = vec![None; group.weights.len()];
    for AlphaGroup {
        alpha,
        uncertified,
        members,
    } in &group.alphas
    {
        let radius = rows.certified_radius(*alpha)?;
        let reached = grid.reached_by(radius.unwrap_or(0.0));
        for member in members {
            let class = if radius.is_some() {
                rows.robust_class()
            } else {
                let weights = settings[member.setting].mixture.weights;
                let weight = rows.uncertified_weight(weights);
                let place = if weight == weights.alpha() {
                    member.alpha_place
                } else {
                    member.fallback_place
                };
                *classes[place].get_or_insert_with(|| rows.class_at_weight(weight))
            };
            let answer = RecomputedAnswer {
                class,
                status: radius.map_or(*uncertified, |_| CertificateStatus::Certified),
                radius: radius.unwrap_or(0.0),
                votes: 0,
                unfinished: false,
            };
            counters[member.setting].add(input, &answer, reached);
        }
    }
    Ok(())
}

fn group(models: &EvaluatedModels, settings: &[Setting]) -> Vec<TemperatureGroup> {
    let mut groups: Vec<TemperatureGroup> = Vec::new();
    for (index, setting) in settings.iter().enumerate() {
        let temperature = setting.mixture.robust_temperature;
        let weights = setting.mixture.weights;
        let place = place_of(
            &mut groups,
            |group| group.temperature == temperature,
            || TemperatureGroup {
                temperature,
                alphas: Vec::new(),
                weights: Vec::new(),
            },
        );
        let group = &mut groups[place];
        let mut weight_place = |weight: Alpha| place_of(&mut group.weights, |&other| other == weight, || weight);
        let member = Member {
            setting: index,
            alpha_place: weight_place(weights.alpha()),
            fallback_place: weight_place(weights.fallback_alpha()),
        };
        let can_certify = weights.alpha().can_certify()
            && !matches!(
                models.guarantee,
                ModelGuarantee::None | ModelGuarantee::GaussianSmoothing { .. }
            );
        let place = place_of(
            &mut group.alphas,
            |group| group.alpha == weights.alpha(),
            || AlphaGroup {
                alpha: weights.alpha(),
                uncertified: if can_certify {
                    CertificateStatus::Abstained
                } else {
                    CertificateStatus::Unavailable
                },
                members: Vec::new(),
            },
        );
        group.alphas[place].members.push(member);
    }
    groups
}

/// The place of the first element that `is_it`; appends the result of `make` if there is none.
fn place_of<T>(elements: &mut Vec<T>, is_it: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> usize {
    elements.iter().position(is_it).unwrap_or_else(|| {
        elements.push(make());
        elements.len() - 1
    })
}
