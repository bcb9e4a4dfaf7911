//! The mixed classifier: both models at once.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use tokio::sync::watch;

use super::parts::{Robust, Side};
use super::robust::{RobustAnswer, unavailable_reason};
use super::room::{Appetite, Chunks};
use super::rows::PlainRows;
use super::smoothed::Terms;
use super::smoother::Smoother;
use super::vote_loop::VoteLoop;
use super::{Answer, CertificationOrder, ClassifierError, lipschitz, smoothed};
use crate::certificate::{BoundMethod, Sides, SmoothingPlan, Temperature, argmax, mixed_logits};
use crate::domain::{Bound, Input, InputSpec, PerRole, Prediction, Provenance, Stage, Timings};
use crate::scheduler::{Outputs, Pending, Reservation, Scheduler};
use crate::settings::{CertificateSettings, MixtureSettings};
use crate::telemetry::models::SchedulerLoad;

/// A pair of models, their mixture and how it is certified: all that a request reads, one snapshot.
pub struct MixedClassifier {
    pub(super) spec: InputSpec,
    pub(super) labels: Vec<String>,
    pub(super) standard: Side,
    pub(super) robust: Side,
    pub(super) scheduler: Scheduler,
    pub(super) chunks: Chunks,
    pub(super) appetite: Appetite,
    pub(super) robust_kind: Robust,
    pub(super) mixture: MixtureSettings,
    pub(super) certificate: CertificateSettings,
    pub(super) provenance: Provenance,
    pub(super) caveat: String,
}

/// One input's share of a request.
#[derive(Clone, Copy)]
struct Share {
    order: CertificationOrder,
    stop_at: Instant,
}

impl MixedClassifier {
    /// What both models expect of one input.
    #[must_use]
    pub fn spec(&self) -> &InputSpec {
        &self.spec
    }

    /// The label of each class.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
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

    /// Whether both models work, from now on.
    #[must_use]
    pub fn healthy(&self) -> watch::Receiver<bool> {
        self.scheduler.healthy()
    }

    /// What waits and who works at this moment: for those who ask now and then.
    #[must_use]
    pub fn load_now(&self) -> SchedulerLoad {
        self.scheduler.load()
    }

    /// Answers `inputs`, in their order, by `deadline`.
    ///
    /// # Errors
    /// If there is no room, a model fails, or the deadline comes before every input has an answer.
    pub async fn predict(
        &self,
        inputs: Vec<Input>,
        order: CertificationOrder,
        deadline: Instant,
    ) -> Result<Answer, ClassifierError> {
        let demand = self.demand(inputs.len(), &order);
        let room = self.scheduler.admit(order.class, deadline, &demand)?;
        let Robust::Smoothed(smoother) = &self.robust_kind else {
            return self.predict_rows(inputs.into(), &room).await;
        };
        // Boxed, for the sake of the other: a future is moved about in one piece, and this one is large.
        Box::pin(self.predict_by_votes(smoother, inputs, order, &room)).await
    }

    async fn predict_by_votes(
        &self,
        smoother: &Smoother,
        inputs: Vec<Input>,
        order: CertificationOrder,
        room: &Reservation,
    ) -> Result<Answer, ClassifierError> {
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
            .try_fold(Answer::default(), |before, next| {
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
        order: CertificationOrder,
        deadline: Instant,
        grown: &mut (dyn FnMut(Prediction) + Send),
    ) -> Result<Answer, ClassifierError> {
        let room = self.scheduler.admit(order.class, deadline, &self.demand(1, &order))?;
        match &self.robust_kind {
            Robust::Smoothed(smoother) => {
                let share = Share {
                    order,
                    stop_at: deadline,
                };
                self.predict_smoothed(smoother, input, &room, share, grown).await
            }
            Robust::OneRow => self.predict_rows([input].into(), &room).await,
        }
    }

    /// One row of each model for each input, all of them one job: both models run at the same time.
    async fn predict_rows(&self, inputs: Arc<[Input]>, room: &Reservation) -> Result<Answer, ClassifierError> {
        let rows = PerRole {
            standard: inputs.len(),
            robust: inputs.len(),
        };
        let outputs = by(
            room.deadline(),
            room.submit_with_others(Box::new(PlainRows(inputs)), rows),
        )
        .await?;
        let back = Instant::now();
        let classes = self.labels.len();
        let kinds = (self.standard.output_kind, self.robust.output_kind);
        let pairs = (outputs.rows.standard)
            .chunks_exact(classes)
            .zip(outputs.rows.robust.chunks_exact(classes));
        let predictions = pairs
            .map(|(standard, robust)| {
                let standard = lipschitz::log_probs(kinds.0, standard, Temperature::ONE);
                let robust = lipschitz::certify(&self.robust.guarantee, kinds.1, robust, &self.spec, &self.mixture)?;
                Ok(self.mix(standard, robust))
            })
            .collect::<Result<_, ClassifierError>>()?;
        Ok(Answer {
            predictions,
            timings: Timings {
                models: outputs.windows,
                mixing: Some(Stage::between(back, Instant::now())),
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
    ) -> Result<Answer, ClassifierError> {
        let snapped = smoother
            .snap(&input)
            .map_err(|error| ClassifierError::Failed(error.to_string()))?;
        let key = smoother.fresh_key();
        let votes = self.vote_loop(smoother, room, share, snapped.loss, *key.as_bytes());
        let one_row = PerRole { standard: 1, robust: 0 };
        let row = room.submit(Box::new(PlainRows([input].into())), one_row);
        // An answer that comes before the standard model's has nothing to be mixed with, and is not told.
        let standard_log_probs = OnceLock::new();
        let standard = async {
            let outputs = by(room.deadline(), row).await?;
            let log_probs = lipschitz::log_probs(self.standard.output_kind, &outputs.rows.standard, Temperature::ONE);
            let log_probs = standard_log_probs.get_or_init(|| log_probs).clone();
            Ok::<_, ClassifierError>((log_probs, outputs.windows.standard))
        };
        let mut tell = |answer: RobustAnswer| {
            if let Some(log_probs) = standard_log_probs.get() {
                grown(self.mix(log_probs.clone(), answer));
            }
        };
        let ((standard, window), (robust, drawn)) = tokio::try_join!(standard, votes.run(&snapped, &key, &mut tell))?;
        let back = Instant::now();
        if let Some(sampling) = &robust.certificate.sampling {
            let most = sampling.selection_votes.saturating_add(share.order.vote_budget);
            self.appetite.learn(room.class(), sampling.votes_drawn, most);
        }
        Ok(Answer {
            predictions: vec![self.mix(standard, robust)],
            timings: Timings {
                models: PerRole {
                    standard: window,
                    robust: drawn.window,
                },
                mixing: Some(Stage::between(back, Instant::now())),
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
                .map(|target| smoothed::radius_to_prove(target, snapping_loss)),
            total_variation: smoother.total_variation,
        };
        let terms = Terms {
            bound: order.bound,
            selection_votes: self.certificate.selection_votes,
            noise_key,
            snapping_loss,
            batch_size: self.scheduler.max_batch_size().robust,
            unavailable: unavailable_reason(&self.robust.guarantee, &self.mixture),
            caveat: self.caveat.clone(),
        };
        VoteLoop {
            smoother,
            spec: &self.spec,
            classes: self.labels.len(),
            room,
            chunk: self.chunks.votes,
            depth: self.chunks.depth,
            plan,
            terms,
            vote_budget: order.vote_budget,
            stop_at: share.stop_at,
            deadline: room.deadline(),
        }
    }

    /// Eq. 4 of the paper, and which class that makes.
    fn mix(&self, standard_log_probs: Vec<f64>, robust: RobustAnswer) -> Prediction {
        let RobustAnswer {
            log_probs,
            certified_class,
            certificate,
        } = robust;
        let mixed_logits = mixed_logits(self.mixture.alpha, &standard_log_probs, &log_probs);
        let class = certified_class.or_else(|| argmax(&mixed_logits)).unwrap_or(0);
        Prediction {
            class,
            mixed_logits,
            certificate,
            standard_class: argmax(&standard_log_probs).unwrap_or(0),
            robust_class: argmax(&log_probs).unwrap_or(0),
            standard_log_probs,
            robust_log_probs: log_probs,
        }
    }
}

async fn by(deadline: Instant, pending: Pending) -> Result<Outputs, ClassifierError> {
    let outputs = tokio::time::timeout_at(deadline.into(), pending).await;
    Ok(outputs.map_err(|_| ClassifierError::DeadlineExceeded)??)
}
