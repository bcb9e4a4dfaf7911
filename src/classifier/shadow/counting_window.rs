//! A window of traffic over which the counts stay comparable.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::evaluator::Evaluator;
use super::recorded_outputs::RecordedOutputs;
use super::shadow_counts::ShadowCounts;
use super::shadow_report::{ShadowReport, ShadowRow};
use crate::certificate::{MixingWeights, Temperature};
use crate::settings::{CertificateSettings, MixtureSettings, Settings};

/// The settings that must stay the same during a window, beside the models.
///
/// While alpha ramps to its target, each step serves another mixture. A new window for each step
/// would leave no usable counts, so the ramp is one window and the traffic after it is the next
/// one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WindowConfig {
    candidates: Vec<MixtureSettings>,
    target_weights: MixingWeights,
    ramping: bool,
    robust_temperature: Temperature,
    certificate: CertificateSettings,
}

impl WindowConfig {
    pub(super) fn of(settings: &Settings) -> Self {
        let (mixture, tuning) = (&settings.mixture, &settings.tuning);
        Self {
            candidates: settings.shadow_candidates.clone(),
            target_weights: tuning.target_weights,
            ramping: mixture.weights != tuning.target_weights,
            robust_temperature: mixture.robust_temperature,
            certificate: settings.certificate,
        }
    }
}

/// The counts of one window.
pub(super) struct CountingWindow {
    pub(super) config: WindowConfig,
    evaluator: Evaluator,
    since: SystemTime,
    since_revision: String,
    dropped: AtomicU64,
    /// The counts of the serving mixture, then of each candidate.
    counts: Mutex<Vec<ShadowCounts>>,
}

impl CountingWindow {
    pub(super) fn start(config: WindowConfig, evaluator: Evaluator, since_revision: &str) -> Self {
        let rows = 1 + evaluator.candidates().len();
        Self {
            config,
            evaluator,
            since: wall_clock(),
            since_revision: since_revision.to_owned(),
            dropped: AtomicU64::new(0),
            counts: Mutex::new(vec![ShadowCounts::default(); rows]),
        }
    }

    /// Counts `inputs` inputs as dropped: there was no time to evaluate them.
    pub(super) fn count_dropped(&self, inputs: u64) {
        self.dropped.fetch_add(inputs, Ordering::Relaxed);
    }

    /// Evaluates `observation` for every candidate and counts the results. The lock is held only
    /// while counting.
    pub(super) fn evaluate(&self, observation: &RecordedOutputs) {
        let evaluated = match self.evaluator.evaluate(observation) {
            Ok(evaluated) => evaluated,
            Err(error) => {
                tracing::error!(%error, "the shadow candidates cannot be evaluated on a served prediction");
                return self.count_dropped(observation.input_count());
            }
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (served, candidates) in &evaluated {
            let serving = served.as_shadow();
            for (counts, prediction) in counts.iter_mut().zip(std::iter::once(&serving).chain(candidates)) {
                counts.add(prediction, served);
            }
        }
    }

    /// Returns the current counts. `serving` is the mixture in force.
    pub(super) fn report(&self, serving: MixtureSettings) -> ShadowReport {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mixtures = std::iter::once(&serving).chain(self.evaluator.candidates());
        let mut rows = mixtures
            .zip(counts)
            .map(|(&mixture, counts)| ShadowRow { mixture, counts });
        let serving = rows.next().unwrap_or(ShadowRow {
            mixture: serving,
            counts: ShadowCounts::default(),
        });
        ShadowReport {
            since: self.since,
            since_revision: self.since_revision.clone(),
            alpha_ramping: self.config.ramping,
            dropped: self.dropped.load(Ordering::Relaxed),
            serving,
            candidates: rows.collect(),
        }
    }
}

/// The time that the report shows to people. No timing depends on it.
#[expect(
    clippy::disallowed_methods,
    reason = "the report shows an operator when the counts began"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
impl CountingWindow {
    /// A window with one candidate.
    pub(super) fn example() -> Self {
        let half = MixtureSettings {
            weights: MixingWeights::constant(crate::certificate::Alpha::new(0.5).unwrap()),
            robust_temperature: Temperature::ONE,
        };
        let config = WindowConfig {
            candidates: vec![half],
            target_weights: half.weights,
            ramping: false,
            robust_temperature: Temperature::ONE,
            certificate: CertificateSettings {
                failure_probability: crate::certificate::FailureProbability::new(0.001).unwrap(),
                min_failure_probability: 0.001,
                radius: crate::certificate::RadiusMethod::Tight,
                bound: crate::domain::BoundKind::Anytime,
                selection_votes: 1,
                predict_votes: 1,
                predict_target_radius: None,
                certify_votes: 1,
                max_votes: 1,
                interactive_votes: 0,
                allow_inexact_runtime: false,
            },
        };
        Self::start(config, Evaluator::example(vec![half]), "revision")
    }

    pub(super) fn evaluated_inputs(&self) -> u64 {
        self.report(self.config.candidates[0]).candidates[0].counts.inputs
    }

    pub(super) fn dropped_inputs(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
