//! The mixed classifier: both models and the settings that mix and certify their outputs.

use std::sync::Arc;
use std::time::Instant;

use super::certification_params::CertificationParams;
use super::classifier_info::ClassifierInfo;
use super::demand::{one_row_demand, vote_demand};
use super::error::ClassifierError;
use super::inference_context::InferenceContext;
use super::models::Engine;
use super::models::served_model::RobustInference;
use super::one_row_prediction::predict_from_rows;
use super::request_predictions::RequestPredictions;
use super::shadow::ShadowReport;
use super::smoothing::target_radius::{CertificationGoal, PredictTarget};
use super::vote_prediction::VotePredictor;
use crate::call::Caller;
use crate::certificate::{Alpha, CertificateError};
use crate::domain::{Input, InputSpec, Prediction, Provenance, ValueEncoding, Violations};
use crate::scheduler::{CallerShares, Demand};
use crate::settings::{CertificateSettings, Settings};

/// Both models, their mixture and their certification: the one snapshot that a request reads.
///
/// A change of alpha creates a new snapshot of the same [`Engine`].
pub struct MixedClassifier {
    context: InferenceContext,
    /// The shares of named callers.
    caller_shares: CallerShares,
    provenance: Provenance,
    /// The target of Predict; `None` if the robust model draws no votes.
    predict_target: Option<PredictTarget>,
}

impl MixedClassifier {
    /// Creates the snapshot of `settings` on loaded models.
    ///
    /// # Errors
    /// Returns an error if the settings do not fit the robust model, or if the thread of the shadow
    /// alphas cannot start.
    pub fn new(engine: Arc<Engine>, settings: &Settings) -> Result<Self, Violations> {
        engine.check_settings(settings)?;
        let provenance = engine.provenance(settings);
        let predict_target = predict_target(&engine, settings.mixture.weights.alpha(), &settings.certificate)?;
        let recorder =
            engine
                .shadow_recorders
                .recorder(engine.evaluated_models(), settings, &provenance.config_revision)?;
        Ok(Self {
            context: InferenceContext {
                mixture: settings.mixture,
                certificate: settings.certificate,
                recorder,
                engine,
            },
            caller_shares: CallerShares::new(&settings.callers),
            provenance,
            predict_target,
        })
    }

    /// The models.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.context.engine
    }

    /// The format of an input, for both models.
    #[must_use]
    pub fn spec(&self) -> &InputSpec {
        &self.context.engine.spec
    }

    /// The label of each class.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.context.engine.labels
    }

    /// The configuration that produces the predictions.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The operator's limits on certification.
    #[must_use]
    pub fn certification(&self) -> &CertificateSettings {
        &self.context.certificate
    }

    /// The parameters of Predict.
    #[must_use]
    pub fn predict_params(&self) -> CertificationParams {
        let target = self.predict_target.and_then(|target| target.target);
        CertificationParams::predict(&self.context.certificate, target)
    }

    /// The target of Predict, and the largest one that its votes can prove; `None` if the robust
    /// model draws no votes.
    #[must_use]
    pub fn predict_target(&self) -> Option<PredictTarget> {
        self.predict_target
    }

    /// The target that Predict would have with another alpha; `None` for a value that is no alpha, and
    /// if the robust model draws no votes.
    #[must_use]
    pub fn predict_target_with(&self, alpha: f64) -> Option<PredictTarget> {
        let InferenceContext {
            engine, certificate, ..
        } = &self.context;
        let alpha = Alpha::new(alpha).ok()?;
        predict_target(engine, alpha, certificate).ok().flatten()
    }

    /// The largest target that some votes prove for an input with this encoding, if the target of
    /// `params` is larger. `None` if it is not, if the robust model draws no votes, or if nothing
    /// can be certified, because each certificate then states why.
    #[must_use]
    pub fn target_limit(&self, params: &CertificationParams, encoding: ValueEncoding) -> Option<f64> {
        let RobustInference::Votes(smoother) = &self.context.engine.robust_inference else {
            return None;
        };
        let target = params.target_radius?.in_force();
        let loss = smoother.smallest_snapping_loss(self.spec().dimension(), encoding);
        let goal = params.goal(
            self.context.mixture.weights.alpha(),
            self.context.certificate.radius,
            smoother,
        );
        // The caller has checked the parameters, so no error is expected.
        goal.limit_below(target, loss).ok().flatten()
    }

    /// Whether the robust model draws votes. Only then does the vote budget of a request have an
    /// effect.
    #[must_use]
    pub fn draws_votes(&self) -> bool {
        matches!(self.context.engine.robust_inference, RobustInference::Votes(_))
    }

    /// A description of the models and of the certificates.
    #[must_use]
    pub fn info(&self) -> ClassifierInfo {
        let InferenceContext {
            engine,
            mixture,
            certificate,
            ..
        } = &self.context;
        ClassifierInfo::new(engine, mixture, certificate)
    }

    /// The statistics of the shadow candidates; `None` without candidates.
    #[must_use]
    pub fn shadow_report(&self) -> Option<ShadowReport> {
        let recorder = self.context.recorder.as_ref();
        recorder.map(|recorder| recorder.report(self.context.mixture))
    }

    /// Predicts `inputs` of `caller`, in their order, by `deadline`.
    ///
    /// # Errors
    /// Returns an error if the scheduler rejects the request, if a model fails, or if the deadline
    /// passes before every input has a prediction.
    pub async fn predict(
        &self,
        caller: Caller,
        inputs: Vec<Input>,
        params: CertificationParams,
        deadline: Instant,
    ) -> Result<RequestPredictions, ClassifierError> {
        let context = &self.context;
        let demand = self.demand(inputs.len(), &params);
        let share = self.caller_shares.of(caller);
        let scheduler = &context.engine.scheduler;
        let reservation = scheduler.admit(&share, params.priority, deadline, &demand)?;
        match &context.engine.robust_inference {
            RobustInference::OneRow => {
                predict_from_rows(context, inputs.into(), &reservation, params.model_outputs).await
            }
            RobustInference::Votes(smoother) => {
                let predictor = VotePredictor {
                    context,
                    smoother,
                    params,
                    reservation: &reservation,
                };
                // Boxed, because this future is large and a caller moves the enclosing future as a
                // whole.
                Box::pin(predictor.predict_all(inputs)).await
            }
        }
    }

    /// Predicts one input of `caller`, and calls `on_better` with each better prediction before the last one.
    /// The radii never shrink.
    ///
    /// # Errors
    /// Returns the same errors as [`MixedClassifier::predict`].
    pub async fn predict_with_updates(
        &self,
        caller: Caller,
        input: Input,
        params: CertificationParams,
        deadline: Instant,
        on_better: &mut (dyn FnMut(Prediction) + Send),
    ) -> Result<RequestPredictions, ClassifierError> {
        let context = &self.context;
        let demand = self.demand(1, &params);
        let share = self.caller_shares.of(caller);
        let scheduler = &context.engine.scheduler;
        let reservation = scheduler.admit(&share, params.priority, deadline, &demand)?;
        match &context.engine.robust_inference {
            RobustInference::OneRow => {
                predict_from_rows(context, [input].into(), &reservation, params.model_outputs).await
            }
            RobustInference::Votes(smoother) => {
                let predictor = VotePredictor {
                    context,
                    smoother,
                    params,
                    reservation: &reservation,
                };
                predictor.predict_one(input, deadline, on_better).await
            }
        }
    }

    /// Returns the rows that a request of `inputs` inputs needs of the models.
    fn demand(&self, inputs: usize, params: &CertificationParams) -> Demand {
        let engine = &self.context.engine;
        match engine.robust_inference {
            RobustInference::OneRow => one_row_demand(inputs),
            RobustInference::Votes(_) => {
                let selection_votes = self.context.certificate.selection_votes;
                let max_votes = selection_votes.saturating_add(params.vote_budget);
                let expected_votes = engine.vote_forecast.expected(params.priority, max_votes);
                vote_demand(inputs, selection_votes, expected_votes, engine.vote_chunking)
            }
        }
    }
}

/// The target of Predict on `engine`; `None` if its robust model draws no votes.
fn predict_target(
    engine: &Engine,
    alpha: Alpha,
    certificate: &CertificateSettings,
) -> Result<Option<PredictTarget>, Violations> {
    let RobustInference::Votes(smoother) = &engine.robust_inference else {
        return Ok(None);
    };
    let goal = CertificationGoal::predict(alpha, smoother, certificate);
    let target = PredictTarget::new(&goal, certificate);
    let violation = |error: CertificateError| Violations::one("certificate.predict_target_radius", error.to_string());
    target.map(Some).map_err(violation)
}
