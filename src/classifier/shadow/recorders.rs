//! Where snapshots get their counters from.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::counting_window::{CountingWindow, WindowConfig};
use super::evaluation_worker::EvaluationWorker;
use super::evaluator::Evaluator;
use super::observation::{Observation, ServedPrediction, VoteObservation};
use super::shadow_report::ShadowReport;
use crate::certificate::{Alpha, SmoothingPlan};
use crate::classifier::models::Engine;
use crate::classifier::smoothing::vote_trace::VoteTrace;
use crate::domain::{PerRole, Prediction, Violations};
use crate::settings::Settings;

/// An engine's: other models, other counts.
#[derive(Default)]
pub(in crate::classifier) struct Recorders {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Started with the first candidates.
    worker: Option<EvaluationWorker>,
    /// The newest. It lasts as long as a snapshot that feeds it.
    era: Weak<CountingWindow>,
}

/// Hands over what a snapshot answers.
pub(in crate::classifier) struct Recorder {
    worker: EvaluationWorker,
    era: Arc<CountingWindow>,
}

impl Recorders {
    /// For a snapshot of `engine` under `settings`, named `revision`: goes on counting where the last one did if it is about the
    /// same. None without candidates.
    ///
    /// # Errors
    /// If there is no thread.
    pub(in crate::classifier) fn tap(
        &self,
        engine: &Engine,
        settings: &Settings,
        revision: &str,
    ) -> Result<Option<Recorder>, Violations> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let alphas = &settings.tuning.shadow_alphas;
        if alphas.is_empty() {
            state.era = Weak::new();
            return Ok(None);
        }
        let worker = match &state.worker {
            Some(worker) => worker.clone(),
            None => EvaluationWorker::start().map_err(|error| {
                let mut wrong = Violations::default();
                wrong.add("mixture.shadow_alphas", format!("expected a thread for them: {error}"));
                wrong
            })?,
        };
        state.worker = Some(worker.clone());
        let terms = WindowConfig::of(settings);
        let era = match state.era.upgrade().filter(|era| era.terms == terms) {
            Some(era) => era,
            None => {
                let judge = Evaluator::new(engine, alphas, settings.mixture.robust_temperature);
                Arc::new(CountingWindow::begin(terms, judge, revision))
            }
        };
        state.era = Arc::downgrade(&era);
        Ok(Some(Recorder { worker, era }))
    }
}

impl Recorder {
    /// One row of each model for each input was answered with `predictions`.
    pub(in crate::classifier) fn rows(&self, outputs: PerRole<Vec<f32>>, predictions: &[Prediction]) {
        let served = predictions.iter().map(ServedPrediction::new).collect();
        self.worker.offer(&self.era, Observation::Rows { outputs, served });
    }

    /// The votes in `trace`, asked for by `plan`, were answered with `prediction`.
    pub(in crate::classifier) fn votes(
        &self,
        trace: VoteTrace,
        plan: SmoothingPlan,
        vote_budget: u64,
        snapping_loss: f64,
        prediction: &Prediction,
    ) {
        let votes = VoteObservation {
            standard_log_probs: prediction.standard_log_probs.clone(),
            trace,
            plan,
            vote_budget,
            snapping_loss,
            stop_reason: prediction.certificate.stop_reason,
            served: ServedPrediction::new(prediction),
        };
        self.worker
            .offer(&self.era, Observation::VoteObservation(Box::new(votes)));
    }

    /// The counts now, `alpha` being the one that serves.
    pub(in crate::classifier) fn report(&self, alpha: Alpha) -> ShadowReport {
        self.era.report(alpha)
    }
}
