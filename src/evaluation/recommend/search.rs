//! The search over alpha, `fallback_alpha` and the temperature: a coarse grid, then finer ones around
//! the best settings.

use std::cmp::Ordering;

use super::objective::{Measures, Objective};
use crate::evaluation::recompute::{RadiusGrid, Recomputation, RecomputeError, Setting, SettingSummary};

/// The coarse grid, and the finer ones after it.
#[derive(Debug, Clone)]
pub(super) struct SearchSpace {
    pub(super) alphas: Vec<f64>,
    pub(super) fallback_alphas: Vec<f64>,
    pub(super) temperatures: Vec<f64>,
    pub(super) rounds: Vec<Step>,
}

/// The steps of one round around a setting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    alpha: f64,
    fallback_alpha: f64,
    /// The ratio of neighbouring temperatures.
    temperature: f64,
}

/// The number of best settings that a round looks around.
const BEST_SETTINGS: usize = 3;

/// The most settings of a round around one setting.
const NEIGHBOURS: usize = 5 * 5 * 3;

impl SearchSpace {
    /// The space for a recommendation. A temperature without an effect stays as it is.
    pub(super) fn new(takes_temperature: bool, in_force: &Setting) -> Self {
        let step = |alpha, fallback_alpha, temperature| Step {
            alpha,
            fallback_alpha,
            temperature,
        };
        let mut temperatures = vec![in_force.robust_temperature()];
        if takes_temperature {
            temperatures.extend((-7..=4).map(|exponent| 2.0_f64.powi(exponent)).map(rounded_temperature));
        }
        Self {
            alphas: vec![
                0.0, 0.2, 0.4, 0.5, 0.51, 0.53, 0.56, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.94, 0.97, 0.99, 1.0,
            ],
            fallback_alphas: vec![0.0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9],
            temperatures,
            rounds: vec![step(0.02, 0.1, 1.4), step(0.008, 0.04, 1.16), step(0.003, 0.02, 1.06)],
        }
    }

    /// A bound on the number of settings that a search in this space compares.
    pub(super) fn max_settings(&self) -> usize {
        let coarse = self.alphas.len() * (self.fallback_alphas.len() + 1) * self.temperatures.len();
        1 + coarse + self.rounds.len() * BEST_SETTINGS * NEIGHBOURS
    }

    fn coarse(&self, in_force: &Setting) -> Vec<Setting> {
        let mut settings = vec![*in_force];
        for &temperature in &self.temperatures {
            for &alpha in &self.alphas {
                // At alpha of at most 1/2 no margin is large enough, and the fallback weight is the
                // only one that has an effect.
                let fallbacks = self
                    .fallback_alphas
                    .iter()
                    .filter(|&&fallback| alpha > 0.5 && fallback < alpha);
                for &fallback in fallbacks.chain([&alpha]) {
                    settings.extend(in_force.with_mixture(alpha, fallback, temperature));
                }
            }
        }
        settings
    }

    /// The settings around `centre`.
    fn around(&self, centre: &Setting, step: Step) -> Vec<Setting> {
        let (alpha, fallback) = (centre.alpha(), centre.fallback_alpha());
        let temperature = centre.robust_temperature();
        let temperatures = if self.temperatures.len() > 1 {
            vec![
                rounded_temperature(temperature / step.temperature),
                temperature,
                rounded_temperature(temperature * step.temperature),
            ]
        } else {
            vec![temperature]
        };
        let mut settings = Vec::new();
        for temperature in temperatures {
            for steps in -2..=2 {
                let alpha = rounded_weight(alpha + f64::from(steps) * step.alpha);
                let nearby = [fallback - step.fallback_alpha, fallback, fallback + step.fallback_alpha];
                for fallback in nearby.map(rounded_weight).into_iter().chain([0.0, alpha]) {
                    settings.extend(centre.with_mixture(alpha, fallback.min(alpha), temperature));
                }
            }
        }
        settings
    }
}

/// A weight from 0 to 1 with three decimals.
fn rounded_weight(weight: f64) -> f64 {
    (weight.clamp(0.0, 1.0) * 1000.0).round() / 1000.0
}

/// A temperature with three digits, within the range of the setting.
fn rounded_temperature(temperature: f64) -> f64 {
    let rounded = format!("{temperature:.2e}").parse().unwrap_or(temperature);
    f64::clamp(rounded, 1e-6, 1e6)
}

/// A setting and its numbers on the searched inputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) setting: Setting,
    pub(super) measures: Measures,
}

/// The result of a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// The best setting that keeps every constraint, or else the one that misses them by the least.
    pub(super) best: Candidate,
    /// The number of settings compared.
    pub(super) compared: usize,
}

/// Searches `space` on the records of `part`.
///
/// # Errors
/// The errors of the recomputation.
pub(super) fn search(
    part: &Recomputation<'_>,
    objective: &Objective,
    grid: &RadiusGrid,
    in_force: &Setting,
    space: &SearchSpace,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Found, RecomputeError> {
    let mut candidates: Vec<Candidate> = Vec::new();
    let compare = |settings: Vec<Setting>, candidates: &mut Vec<Candidate>| {
        let mut new: Vec<Setting> = Vec::new();
        for setting in settings {
            let is_known = candidates.iter().any(|known| known.setting == setting) || new.contains(&setting);
            if !is_known && (objective.accepts(&setting) || setting == *in_force) {
                new.push(setting);
            }
        }
        let summaries = part.summaries(&new, grid, progress)?;
        candidates.extend(summaries.iter().map(|summary: &SettingSummary| Candidate {
            setting: summary.setting,
            measures: objective.measures(summary, grid),
        }));
        candidates.sort_by(|left, right| order(objective, in_force, right, left));
        Ok::<_, RecomputeError>(())
    };
    compare(space.coarse(in_force), &mut candidates)?;
    for &step in &space.rounds {
        let best = candidates.iter().take(BEST_SETTINGS);
        let nearby = best.flat_map(|centre| space.around(&centre.setting, step)).collect();
        compare(nearby, &mut candidates)?;
    }
    let compared = candidates.len();
    match candidates.first() {
        Some(&best) => Ok(Found { best, compared }),
        None => Err(RecomputeError::Header("no setting can be compared".to_owned())),
    }
}

/// The better candidate is the greater one: by what it misses, by the value of the objective, by
/// clean accuracy, certified share and votes, and then the setting in force before any other. Of
/// settings with the same counts, a larger fallback weight keeps more of the robust model.
fn order(objective: &Objective, in_force: &Setting, left: &Candidate, right: &Candidate) -> Ordering {
    #[expect(clippy::cast_precision_loss, reason = "the counts stay far below 2^53")]
    let keys = |candidate: &Candidate| {
        let measures = &candidate.measures;
        [
            -objective.shortfall(measures),
            objective.value(measures),
            measures.right as f64,
            measures.certified as f64,
            -(measures.p99_votes as f64),
            f64::from(u8::from(candidate.setting == *in_force)),
            candidate.setting.fallback_alpha(),
        ]
    };
    let pairs = keys(left).into_iter().zip(keys(right));
    pairs
        .map(|(left, right)| left.total_cmp(&right))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
impl SearchSpace {
    /// A small space, for tests.
    pub(super) fn small() -> Self {
        Self {
            alphas: vec![0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
            fallback_alphas: vec![0.0, 0.5],
            temperatures: vec![0.05, 0.1, 0.3, 1.0],
            rounds: vec![Step {
                alpha: 0.03,
                fallback_alpha: 0.1,
                temperature: 1.5,
            }],
        }
    }
}
