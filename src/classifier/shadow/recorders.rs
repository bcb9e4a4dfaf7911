//! Creates the recorders of an engine's snapshots, which share one evaluation thread.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::counting_window::{CountingWindow, WindowConfig};
use super::evaluation_worker::EvaluationWorker;
use super::evaluator::Evaluator;
use super::recorded_outputs::{RecordedOutputs, VoteObservation};
use super::shadow_prediction::ServedPrediction;
use super::shadow_report::ShadowReport;
use crate::certificate::VoteRule;
use crate::classifier::prediction::evaluated_models::EvaluatedModels;
use crate::classifier::smoothing::target_radius::TargetRadius;
use crate::classifier::smoothing::vote_trace::VoteTrace;
use crate::domain::{PerRole, Prediction, Violations};
use crate::settings::{MixtureSettings, Settings};

/// The recorders of one engine. Another engine has other models and therefore other counts.
#[derive(Default)]
pub(in crate::classifier) struct Recorders {
    state: Mutex<RecordersState>,
}

#[derive(Default)]
struct RecordersState {
    /// The evaluation thread. It starts with the first candidates.
    worker: Option<EvaluationWorker>,
    /// The newest window. It lives as long as a snapshot records to it.
    window: Weak<CountingWindow>,
}

/// Records the predictions of one snapshot.
pub(in crate::classifier) struct Recorder {
    worker: EvaluationWorker,
    window: Arc<CountingWindow>,
}

impl Recorders {
    /// Creates the recorder of a snapshot of `models` under `settings`, with the configuration
    /// revision `revision`. The recorder continues the newest window if its counts stay comparable.
    /// Returns `None` without candidates.
    ///
    /// # Errors
    /// Returns an error if the evaluation thread cannot start.
    pub(in crate::classifier) fn recorder(
        &self,
        models: EvaluatedModels,
        settings: &Settings,
        revision: &str,
    ) -> Result<Option<Recorder>, Violations> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let candidates = &settings.shadow_candidates;
        if candidates.is_empty() {
            state.window = Weak::new();
            return Ok(None);
        }
        let worker = match &state.worker {
            Some(worker) => worker.clone(),
            None => EvaluationWorker::start().map_err(|error| {
                let mut violations = Violations::default();
                violations.add(
                    "mixture.shadow_candidates",
                    format!("the thread that evaluates them cannot start: {error}"),
                );
                violations
            })?,
        };
        state.worker = Some(worker.clone());
        let config = WindowConfig::of(settings);
        let window = match state.window.upgrade().filter(|window| window.config == config) {
            Some(window) => window,
            None => {
                let evaluator = Evaluator::new(models, candidates.clone());
                Arc::new(CountingWindow::start(config, evaluator, revision))
            }
        };
        state.window = Arc::downgrade(&window);
        Ok(Some(Recorder { worker, window }))
    }
}

impl Recorder {
    /// Records that one row of each model for each input was answered with `predictions`.
    pub(in crate::classifier) fn record_rows(&self, outputs: PerRole<Vec<f32>>, predictions: &[Prediction]) {
        let served = predictions.iter().map(ServedPrediction::new).collect();
        self.worker
            .submit(&self.window, RecordedOutputs::Rows { outputs, served });
    }

    /// Records that the votes in `trace`, drawn under `rule` for `target`, were answered with
    /// `prediction`.
    pub(in crate::classifier) fn record_votes(
        &self,
        trace: VoteTrace,
        rule: VoteRule,
        target: Option<TargetRadius>,
        prediction: &Prediction,
    ) {
        let votes = VoteObservation {
            standard_log_probs: prediction.standard_log_probs.clone(),
            trace,
            rule,
            target,
            stop_reason: prediction.certificate.stop_reason,
            served: ServedPrediction::new(prediction),
        };
        self.worker
            .submit(&self.window, RecordedOutputs::Votes(Box::new(votes)));
    }

    /// Returns the current counts. `serving` is the mixture in force.
    pub(in crate::classifier) fn report(&self, serving: MixtureSettings) -> ShadowReport {
        self.window.report(serving)
    }
}
