//! The mixed classifier: both models at once.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;

use super::input_rows::InputRows;
use super::models::Engine;
use super::models::served_model::RobustInference;
use super::prediction::lipschitz;
use super::prediction::mixing::mix;
use super::prediction::robust_prediction::{RobustPrediction, unavailable_reason};
use super::shadow::{Recorder, ShadowReport};
use super::smoothing::smoothed_prediction;
use super::smoothing::smoothed_prediction::CertificateContext;
use super::smoothing::smoother::Smoother;
use super::smoothing::vote_loop::VoteLoop;
use super::smoothing::vote_trace::VoteTrace;
use super::{CertificationParams, ClassifierError, PredictionBatch};
use crate::certificate::{BoundMethod, Sides, SmoothingPlan, Temperature};
use crate::domain::{Bound, Input, InputSpec, PerRole, Prediction, Provenance, Stage, Timings, Violations};
use crate::scheduler::{Outputs, Pending, Reservation};
use crate::settings::{CertificateSettings, MixtureSettings, Settings};

/// Both models, their mixture and how it is certified: all that a request reads, one snapshot. A change of alpha makes a new one
/// on the same [`Engine`].
pub struct MixedClassifier {
    pub(super) engine: Arc<Engine>,
    pub(super) mixture: MixtureSettings,
    pub(super) certificate: CertificateSettings,
    pub(super) provenance: Provenance,
    /// None without shadow alphas: then nothing is kept of an answer.
    shadow: Option<Recorder>,
}

/// One input's share of a request.
#[derive(Clone, Copy)]
struct Share {
    order: CertificationParams,
    stop_at: Instant,
}

impl MixedClassifier {
    /// The mixture that `settings` ask for, on models that are loaded.
    ///
    /// # Errors
    /// If the settings do not fit the robust model, or if there is no thread for the shadow alphas.
    pub fn new(engine: Arc<Engine>, settings: &Settings) -> Result<Self, Violations> {
        engine.check(settings)?;
        let provenance = engine.provenance(settings);
        Ok(Self {
            mixture: settings.mixture,
            certificate: settings.certificate,
            shadow: engine.shadow.tap(&engine, settings, &provenance.config_revision)?,
            provenance,
            engine,
        })
    }

    /// The models that answer.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// What both models expect of one input.
    #[must_use]
    pub fn spec(&self) -> &InputSpec {
        &self.engine.spec
    }

    /// The label of each class.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.engine.labels
    }

    /// The configuration that answers.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The operator's limits on certification.
    #[must_use]
    pub fn certification(&self) -> &CertificateSettings {
        &self.certificate
    }

    /// What the shadow alphas would have answered; none without them.
    #[must_use]
    pub fn shadow_report(&self) -> Option<ShadowReport> {
        let shadow = self.shadow.as_ref();
        shadow.map(|shadow| shadow.report(self.mixture.alpha))
    }

    /// Answers `inputs`, in their order, by `deadline`.
    ///
    /// # Errors
    /// If there is no room, a model fails, or the deadline comes before every input has an answer.
    pub async fn predict(
        &self,
        inputs: Vec<Input>,
        order: CertificationParams,
        deadline: Instant,
    ) -> Result<PredictionBatch, ClassifierError> {
        let demand = self.demand(inputs.len(), &order);
        let room = self.engine.scheduler.admit(order.priority, deadline, &demand)?;
        let RobustInference::Smoothed(smoother) = &self.engine.robust_kind else {
            return self.predict_rows(inputs.into(), &room).await;
        };
        // Boxed, for the sake of the other: a future is moved about in one piece, and this one is large.
        Box::pin(self.predict_by_votes(smoother, inputs, order, &room)).await
    }

    async fn predict_by_votes(
        &self,
        smoother: &Smoother,
        inputs: Vec<Input>,
        order: CertificationParams,
        room: &Reservation,
    ) -> Result<PredictionBatch, ClassifierError> {
        let deadline = room.deadline();
        let lanes = self.lanes(inputs.len()).max(1);
        let count = inputs.len();
        let one = |(index, input): (usize, Input)| {
            async move {
                // A fair part of the time that is left, so that a deadline costs every input some votes instead of
                // costing the last inputs all of theirs.
                let rounds = u32::try_from((count - index).div_ceil(lanes)).unwrap_or(u32::MAX);
                let now = Instant::now();
                let stop_at = now + deadline.saturating_duration_since(now) / rounds;
                let share = Share { order, stop_at };
                self.predict_smoothed(smoother, input, room, share, &mut |_| {}).await
            }
        };
        stream::iter(inputs.into_iter().enumerate())
            .map(one)
            .buffered(lanes)
            .try_fold(PredictionBatch::default(), |before, next| {
                std::future::ready(Ok(before.and(next)))
            })
            .await
    }

    /// Answers one input, and tells `grown` of each better answer on the way. Radii never shrink.
    ///
    /// # Errors
    /// As [`MixedClassifier::predict`].
    pub async fn predict_growing(
        &self,
        input: Input,
        order: CertificationParams,
        deadline: Instant,
        grown: &mut (dyn FnMut(Prediction) + Send),
    ) -> Result<PredictionBatch, ClassifierError> {
        let room = self
            .engine
            .scheduler
            .admit(order.priority, deadline, &self.demand(1, &order))?;
        match &self.engine.robust_kind {
            RobustInference::Smoothed(smoother) => {
                let share = Share {
                    order,
                    stop_at: deadline,
                };
                self.predict_smoothed(smoother, input, &room, share, grown).await
            }
            RobustInference::OneRow => self.predict_rows([input].into(), &room).await,
        }
    }

    /// One row of each model for each input, all of them one job: both models run at the same time.
    async fn predict_rows(&self, inputs: Arc<[Input]>, room: &Reservation) -> Result<PredictionBatch, ClassifierError> {
        let rows = PerRole {
            standard: inputs.len(),
            robust: inputs.len(),
        };
        let outputs = by(
            room.deadline(),
            room.submit_with_others(Box::new(InputRows(inputs)), rows),
        )
        .await?;
        let back = Instant::now();
        let classes = self.engine.labels.len();
        let kinds = (self.engine.standard.output_kind, self.engine.robust.output_kind);
        let pairs = (outputs.rows.standard)
            .chunks_exact(classes)
            .zip(outputs.rows.robust.chunks_exact(classes));
        let predictions = pairs
            .map(|(standard, robust)| {
                let standard = lipschitz::log_probs(kinds.0, standard, Temperature::ONE);
                let robust = lipschitz::certify(
                    &self.engine.robust.guarantee,
                    kinds.1,
                    robust,
                    &self.engine.spec,
                    &self.mixture,
                )?;
                Ok(mix(self.mixture.alpha, standard, self.vouched(robust)))
            })
            .collect::<Result<Vec<_>, ClassifierError>>()?;
        let mixing = Some(Stage::between(back, Instant::now()));
        if let Some(shadow) = &self.shadow {
            shadow.rows(outputs.rows, &predictions);
        }
        Ok(PredictionBatch {
            predictions,
            timings: Timings {
                models: outputs.windows,
                mixing,
            },
            rows: PerRole::of(|role| u64::try_from(rows[role]).unwrap_or(u64::MAX)),
            votes: 0,
        })
    }

    async fn predict_smoothed(
        &self,
        smoother: &Smoother,
        input: Input,
        room: &Reservation,
        share: Share,
        grown: &mut (dyn FnMut(Prediction) + Send),
    ) -> Result<PredictionBatch, ClassifierError> {
        let snapped = smoother
            .snap(&input)
            .map_err(|error| ClassifierError::Failed(error.to_string()))?;
        let key = smoother.fresh_key();
        let mut trace = self.shadow.as_ref().map(|_| VoteTrace::default());
        let votes = self.vote_loop(smoother, room, share, snapped.loss, *key.as_bytes(), trace.as_mut());
        let plan = votes.plan;
        let one_row = PerRole { standard: 1, robust: 0 };
        let row = room.submit(Box::new(InputRows([input].into())), one_row);
        // An answer that comes before the standard model's has nothing to be mixed with, and is not told.
        let standard_log_probs = OnceLock::new();
        let standard = async {
            let outputs = by(room.deadline(), row).await?;
            let log_probs = lipschitz::log_probs(
                self.engine.standard.output_kind,
                &outputs.rows.standard,
                Temperature::ONE,
            );
            let log_probs = standard_log_probs.get_or_init(|| log_probs).clone();
            Ok::<_, ClassifierError>((log_probs, outputs.windows.standard))
        };
        let mut tell = |answer: RobustPrediction| {
            if let Some(log_probs) = standard_log_probs.get() {
                grown(mix(self.mixture.alpha, log_probs.clone(), self.vouched(answer)));
            }
        };
        let ((standard, window), (robust, drawn)) = tokio::try_join!(standard, votes.run(&snapped, &key, &mut tell))?;
        let back = Instant::now();
        if let Some(sampling) = &robust.certificate.sampling {
            let most = sampling.selection_votes.saturating_add(share.order.vote_budget);
            self.engine
                .vote_forecast
                .learn(room.priority(), sampling.votes_drawn, most);
        }
        let prediction = mix(self.mixture.alpha, standard, self.vouched(robust));
        let mixing = Some(Stage::between(back, Instant::now()));
        if let (Some(shadow), Some(trace)) = (&self.shadow, trace) {
            shadow.votes(trace, plan, share.order.vote_budget, snapped.loss, &prediction);
        }
        Ok(PredictionBatch {
            predictions: vec![prediction],
            timings: Timings {
                models: PerRole {
                    standard: window,
                    robust: drawn.window,
                },
                mixing,
            },
            rows: PerRole {
                standard: 1,
                robust: drawn.votes,
            },
            votes: drawn.votes,
        })
    }

    fn vote_loop<'a>(
        &'a self,
        smoother: &'a Smoother,
        room: &'a Reservation,
        share: Share,
        snapping_loss: f64,
        noise_key: [u8; 32],
        trace: Option<&'a mut VoteTrace>,
    ) -> VoteLoop<'a> {
        let order = share.order;
        let plan = SmoothingPlan {
            alpha: self.mixture.alpha,
            sigma: smoother.sigma,
            radius_method: self.certificate.radius,
            bound_method: match order.bound {
                Bound::Anytime => BoundMethod::Anytime,
                Bound::ClopperPearson => BoundMethod::ClopperPearson {
                    votes: order.vote_budget,
                },
            },
            failure_probability: order.failure_probability,
            sides: Sides::OneSided,
            target_radius: order
                .target_radius
                .map(|target| smoothed_prediction::radius_to_prove(target, snapping_loss)),
            total_variation: smoother.total_variation,
        };
        let terms = CertificateContext {
            bound: order.bound,
            selection_votes: self.certificate.selection_votes,
            noise_key,
            snapping_loss,
            batch_size: self.engine.scheduler.max_batch_size().robust,
            unavailable: unavailable_reason(&self.engine.robust.guarantee, &self.mixture),
        };
        VoteLoop {
            smoother,
            spec: &self.engine.spec,
            classes: self.engine.labels.len(),
            room,
            chunk: self.engine.chunks.votes,
            depth: self.engine.chunks.depth,
            plan,
            terms,
            vote_budget: order.vote_budget,
            stop_at: share.stop_at,
            deadline: room.deadline(),
            drain_deadline: &self.engine.drain_deadline,
            trace,
        }
    }
}

async fn by(deadline: Instant, pending: Pending) -> Result<Outputs, ClassifierError> {
    let outputs = tokio::time::timeout_at(deadline.into(), pending).await;
    Ok(outputs.map_err(|_| ClassifierError::DeadlineExceeded)??)
}
