//! The mixed classifier: both models at once.

use std::sync::OnceLock;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;

use super::parts::{Robust, Side};
use super::robust::{RobustAnswer, unavailable_reason};
use super::room::Room;
use super::smoothed::Terms;
use super::smoother::Smoother;
use super::vote_loop::VoteLoop;
use super::{CertificationOrder, ClassifierError, lipschitz, smoothed};
use crate::certificate::{BoundMethod, Sides, SmoothingPlan, Temperature, argmax, mixed_logits};
use crate::domain::{Bound, Input, InputSpec, Prediction, Provenance};
use crate::scheduler::{Pending, Reservation, RowSource};
use crate::settings::{CertificateSettings, MixtureSettings};

/// A pair of models, their mixture and how it is certified: all that a request reads, one snapshot.
pub struct MixedClassifier {
    pub(super) spec: InputSpec,
    pub(super) labels: Vec<String>,
    pub(super) standard: Side,
    pub(super) robust: Side,
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
    deadline: Instant,
}

/// A row that is sent as it is.
struct PlainRow(Input);

impl RowSource for PlainRow {
    fn fill(&self, _row: usize, out: &mut [f32]) -> Result<(), String> {
        if out.len() != self.0.values.len() {
            return Err(format!(
                "an input of {} values for a model of {}",
                self.0.values.len(),
                out.len()
            ));
        }
        out.copy_from_slice(&self.0.values);
        Ok(())
    }
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

    /// Answers `inputs`, in their order, by `deadline`.
    ///
    /// # Errors
    /// If there is no room, a model fails, or the deadline comes before every input has an answer.
    pub async fn predict(
        &self,
        inputs: Vec<Input>,
        order: CertificationOrder,
        deadline: Instant,
    ) -> Result<Vec<Prediction>, ClassifierError> {
        let room = self.room(inputs.len(), order.class)?;
        let lanes = self.lanes(inputs.len());
        let count = inputs.len();
        stream::iter(inputs.into_iter().enumerate())
            .map(|(index, input)| {
                let room = &room;
                async move {
                    // A fair part of the time that is left, so that a deadline costs every input some votes instead of
                    // costing the last inputs all of theirs.
                    let rounds = (count - index).div_ceil(lanes.max(1));
                    let left = deadline.saturating_duration_since(Instant::now());
                    let stop_at = Instant::now() + left / u32::try_from(rounds).unwrap_or(u32::MAX);
                    self.predict_one(
                        input,
                        room,
                        Share {
                            order,
                            stop_at,
                            deadline,
                        },
                        &mut |_| {},
                    )
                    .await
                }
            })
            .buffered(lanes.max(1))
            .try_collect()
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
    ) -> Result<Prediction, ClassifierError> {
        let room = self.room(1, order.class)?;
        self.predict_one(
            input,
            &room,
            Share {
                order,
                stop_at: deadline,
                deadline,
            },
            grown,
        )
        .await
    }

    async fn predict_one(
        &self,
        input: Input,
        room: &Room,
        share: Share,
        grown: &mut (dyn FnMut(Prediction) + Send),
    ) -> Result<Prediction, ClassifierError> {
        let class = share.order.class;
        let standard = room
            .standard
            .submit(Box::new(PlainRow(input.clone())), 1, class, share.deadline);
        let standard = async {
            let output = by(share.deadline, standard).await?;
            Ok::<_, ClassifierError>(lipschitz::log_probs(
                self.standard.output_kind,
                &output,
                Temperature::ONE,
            ))
        };
        match &self.robust_kind {
            Robust::OneRow(guarantee) => {
                let robust = room.robust.submit(Box::new(PlainRow(input)), 1, class, share.deadline);
                let (standard, output) = tokio::try_join!(standard, by(share.deadline, robust))?;
                let kind = self.robust.output_kind;
                let robust = lipschitz::certify(guarantee, kind, &output, &self.spec, &self.mixture)?;
                Ok(self.mix(standard, robust))
            }
            Robust::Smoothed(smoother) => {
                self.predict_smoothed(smoother, &input, room, share, standard, grown)
                    .await
            }
        }
    }

    async fn predict_smoothed(
        &self,
        smoother: &Smoother,
        input: &Input,
        room: &Room,
        share: Share,
        standard: impl Future<Output = Result<Vec<f64>, ClassifierError>>,
        grown: &mut (dyn FnMut(Prediction) + Send),
    ) -> Result<Prediction, ClassifierError> {
        let snapped = smoother
            .snap(input)
            .map_err(|error| ClassifierError::Failed(error.to_string()))?;
        let key = smoother.fresh_key();
        let votes = self.vote_loop(smoother, &room.robust, share, snapped.loss, *key.as_bytes());
        // An answer that comes before the standard model's has nothing to be mixed with, and is not told.
        let standard_log_probs = OnceLock::new();
        let standard = async {
            let log_probs = standard.await?;
            Ok::<_, ClassifierError>(standard_log_probs.get_or_init(|| log_probs).clone())
        };
        let mut tell = |answer: RobustAnswer| {
            if let Some(log_probs) = standard_log_probs.get() {
                grown(self.mix(log_probs.clone(), answer));
            }
        };
        let (standard, robust) = tokio::try_join!(standard, votes.run(&snapped, &key, &mut tell))?;
        Ok(self.mix(standard, robust))
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
            unavailable: unavailable_reason(&self.robust.guarantee, &self.mixture),
            caveat: self.caveat.clone(),
        };
        VoteLoop {
            smoother,
            spec: &self.spec,
            classes: self.labels.len(),
            room,
            batch: self.robust.scheduler.max_batch_size(),
            depth: self.vote_depth(),
            class: order.class,
            plan,
            terms,
            vote_budget: order.vote_budget,
            stop_at: share.stop_at,
            deadline: share.deadline,
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

async fn by(deadline: Instant, pending: Pending) -> Result<Vec<f32>, ClassifierError> {
    let outputs = tokio::time::timeout_at(deadline.into(), pending).await;
    Ok(outputs.map_err(|_| ClassifierError::DeadlineExceeded)??)
}
