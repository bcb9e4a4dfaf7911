//! Counts that compare like with like, from when they began.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::evaluator::Evaluator;
use super::observation::Observation;
use super::shadow_counts::ShadowCounts;
use super::shadow_report::{ShadowReport, ShadowRow};
use crate::certificate::{Alpha, Temperature};
use crate::settings::{CertificateSettings, Settings};

/// What may not change while counts go on, beside the models. While alpha is on its way each step serves another one: to begin
/// anew at each would policy nothing to read, so the way there is one era and what comes after it the next.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::classifier) struct WindowConfig {
    alphas: Vec<Alpha>,
    target_alpha: Alpha,
    on_the_way: bool,
    robust_temperature: Temperature,
    certificate: CertificateSettings,
}

impl WindowConfig {
    pub(in crate::classifier) fn of(settings: &Settings) -> Self {
        let (mixture, tuning) = (&settings.mixture, &settings.tuning);
        Self {
            alphas: tuning.shadow_alphas.clone(),
            target_alpha: tuning.target_alpha,
            on_the_way: mixture.alpha != tuning.target_alpha,
            robust_temperature: mixture.robust_temperature,
            certificate: settings.certificate,
        }
    }
}

/// The counts of one stretch of traffic.
pub(in crate::classifier) struct CountingWindow {
    pub(in crate::classifier) terms: WindowConfig,
    judge: Evaluator,
    since: SystemTime,
    since_revision: String,
    dropped: AtomicU64,
    /// The serving alpha's, then each candidate's.
    counts: Mutex<Vec<ShadowCounts>>,
}

impl CountingWindow {
    pub(in crate::classifier) fn begin(terms: WindowConfig, judge: Evaluator, since_revision: &str) -> Self {
        let rows = 1 + judge.alphas().count();
        Self {
            terms,
            judge,
            since: wall_clock(),
            since_revision: since_revision.to_owned(),
            dropped: AtomicU64::new(0),
            counts: Mutex::new(vec![ShadowCounts::default(); rows]),
        }
    }

    /// There was no time for so many inputs.
    pub(in crate::classifier) fn drop_inputs(&self, inputs: u64) {
        self.dropped.fetch_add(inputs, Ordering::Relaxed);
    }

    /// Judges, which takes its time, and counts, which takes none.
    pub(in crate::classifier) fn take(&self, observation: &Observation) {
        let judged = match self.judge.judge(observation) {
            Ok(judged) => judged,
            Err(error) => {
                tracing::error!(%error, "the shadow alphas cannot judge an answer that was given");
                return self.drop_inputs(observation.inputs());
            }
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (served, verdicts) in &judged {
            let serving = served.verdict();
            for (counts, verdict) in counts.iter_mut().zip(std::iter::once(&serving).chain(verdicts)) {
                counts.add(verdict, served);
            }
        }
    }

    /// The counts now, `alpha` being the one that serves.
    pub(in crate::classifier) fn report(&self, alpha: Alpha) -> ShadowReport {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let alphas = std::iter::once(alpha).chain(self.judge.alphas());
        let mut rows = alphas.zip(counts).map(|(alpha, counts)| ShadowRow {
            alpha: alpha.get(),
            counts,
        });
        let serving = rows.next().unwrap_or(ShadowRow {
            alpha: alpha.get(),
            counts: ShadowCounts::default(),
        });
        ShadowReport {
            since: self.since,
            since_revision: self.since_revision.clone(),
            on_the_way: self.terms.on_the_way,
            dropped: self.dropped.load(Ordering::Relaxed),
            serving,
            candidates: rows.collect(),
        }
    }
}

/// For people to read; nothing is timed by it.
#[expect(
    clippy::disallowed_methods,
    reason = "an operator wants to know since when it is counted"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
impl CountingWindow {
    /// One candidate.
    pub(in crate::classifier) fn example() -> Self {
        let half = Alpha::new(0.5).unwrap();
        let terms = WindowConfig {
            alphas: vec![half],
            target_alpha: half,
            on_the_way: false,
            robust_temperature: Temperature::ONE,
            certificate: CertificateSettings {
                failure_probability: crate::certificate::FailureProbability::new(0.001).unwrap(),
                min_failure_probability: 0.001,
                radius: crate::certificate::RadiusMethod::Tight,
                bound: crate::domain::Bound::Anytime,
                selection_votes: 1,
                predict_votes: 1,
                predict_target_radius: None,
                certify_votes: 1,
                max_votes: 1,
                interactive_votes: 0,
                allow_inexact_runtime: false,
            },
        };
        Self::begin(terms, Evaluator::example(&[half]), "revision")
    }

    pub(in crate::classifier) fn seen(&self) -> u64 {
        self.report(Alpha::new(0.5).unwrap()).candidates[0].counts.inputs
    }

    pub(in crate::classifier) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
