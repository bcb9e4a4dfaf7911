//! Predictions from one row of the standard model and from votes of a smoothed robust model.

use std::sync::OnceLock;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;

use super::certification_params::CertificationParams;
use super::error::ClassifierError;
use super::inference_context::{InferenceContext, outputs_by};
use super::input_rows::InputRows;
use super::prediction::lipschitz;
use super::prediction::robust_prediction::RobustPrediction;
use super::prediction::unavailability::unavailable_reason;
use super::request_predictions::RequestPredictions;
use super::smoothing::class_choice::choose_class;
use super::smoothing::concurrency::MAX_CONCURRENT_INPUTS;
use super::smoothing::smoothed_prediction::CertificateContext;
use super::smoothing::smoother::Smoother;
use super::smoothing::target_radius::TargetRadius;
use super::smoothing::vote_loop::VoteLoop;
use super::smoothing::vote_trace::VoteTrace;
use crate::certificate::{SmoothingPlan, Temperature, VoteRule, radius_to_prove};
use crate::domain::{Input, ModelOutputs, PerRole, Prediction, RequestStage, RequestTimings, RobustOutput};
use crate::scheduler::Reservation;

/// Predicts the inputs of one request by votes.
#[derive(Clone, Copy)]
pub(super) struct VotePredictor<'a> {
    pub(super) context: &'a InferenceContext,
    pub(super) smoother: &'a Smoother,
    pub(super) params: CertificationParams,
    pub(super) reservation: &'a Reservation,
}

impl VotePredictor<'_> {
    /// Predicts `inputs` in their order. Several inputs draw votes at the same time.
    pub(super) async fn predict_all(self, inputs: Vec<Input>) -> Result<RequestPredictions, ClassifierError> {
        let deadline = self.reservation.deadline();
        let count = inputs.len();
        let concurrent = count.clamp(1, MAX_CONCURRENT_INPUTS);
        let predict_one = |(index, input): (usize, Input)| {
            async move {
                // Each input gets a fair part of the remaining time. A tight deadline costs every
                // input some votes, instead of costing the last inputs all of theirs.
                let rounds = u32::try_from((count - index).div_ceil(concurrent)).unwrap_or(u32::MAX);
                let now = Instant::now();
                let stop_at = now + deadline.saturating_duration_since(now) / rounds;
                self.predict_one(input, stop_at, &mut |_| {}).await
            }
        };
        stream::iter(inputs.into_iter().enumerate())
            .map(predict_one)
            .buffered(concurrent)
            .try_fold(RequestPredictions::default(), |batch, next| {
                std::future::ready(Ok(batch.append(next)))
            })
            .await
    }

    /// Predicts `input`. Stops at `stop_at` if there is an estimation vote. Calls `on_better` with
    /// each prediction that has a larger radius than all before it.
    pub(super) async fn predict_one(
        self,
        input: Input,
        stop_at: Instant,
        on_better: &mut (dyn FnMut(Prediction) + Send),
    ) -> Result<RequestPredictions, ClassifierError> {
        let Self { context, smoother, .. } = self;
        let engine = &context.engine;
        let snapped = smoother
            .snap(&input)
            .map_err(|error| ClassifierError::Failed(error.to_string()))?;
        let key = smoother.next_key();
        let mut trace = context.recorder.as_ref().map(|_| VoteTrace::default());
        // A robust prediction that arrives before the standard model's row cannot be mixed, so it
        // is not reported.
        let standard_log_probs = OnceLock::new();
        let vote_loop = self.vote_loop(
            stop_at,
            snapped.loss,
            *key.as_bytes(),
            &standard_log_probs,
            trace.as_mut(),
        );
        let rule = vote_loop.rule;
        let standard_row = self
            .reservation
            .submit(Box::new(InputRows([input].into())), PerRole { standard: 1, robust: 0 });
        let standard = async {
            let outputs = outputs_by(self.reservation.deadline(), standard_row).await?;
            let row = outputs.rows.standard;
            let log_probs = lipschitz::log_probs(engine.standard.output_kind, &row, Temperature::ONE);
            let log_probs = standard_log_probs.get_or_init(|| log_probs).clone();
            Ok::<_, ClassifierError>((row, log_probs, outputs.windows.standard))
        };
        let mut mix_and_report = |robust: RobustPrediction| {
            if let Some(log_probs) = standard_log_probs.get() {
                on_better(context.mix(log_probs.clone(), robust));
            }
        };
        let ((standard_row, standard, standard_window), (robust, drawn)) =
            tokio::try_join!(standard, vote_loop.run(&snapped, &key, &mut mix_and_report))?;
        let mixing_start = Instant::now();
        let votes = drawn.counts.drawn();
        let max_votes = context.certificate.selection_votes.saturating_add(rule.vote_budget);
        engine.vote_forecast.record(self.params.priority, votes, max_votes);
        let mut prediction = context.mix(standard, robust);
        choose_class(&mut prediction, context.mixture.weights, &drawn.counts)?;
        prediction.model_outputs = drawn.sequence.map(|votes| ModelOutputs {
            standard: standard_row,
            robust: RobustOutput::Votes(votes),
        });
        let mixing = Some(RequestStage::between(mixing_start, Instant::now()));
        if let (Some(recorder), Some(trace)) = (&context.recorder, trace) {
            recorder.record_votes(trace, rule, self.params.target_radius, &prediction);
        }
        Ok(RequestPredictions {
            predictions: vec![prediction],
            timings: RequestTimings {
                models: PerRole {
                    standard: standard_window,
                    robust: drawn.window,
                },
                mixing,
            },
            rows: PerRole {
                standard: 1,
                robust: votes,
            },
            votes,
        })
    }

    fn vote_loop<'a>(
        &'a self,
        stop_at: Instant,
        snapping_loss: f64,
        noise_key: [u8; 32],
        standard_log_probs: &'a OnceLock<Vec<f64>>,
        trace: Option<&'a mut VoteTrace>,
    ) -> VoteLoop<'a> {
        let Self {
            context,
            smoother,
            params,
            reservation,
        } = *self;
        let engine = &context.engine;
        let goal = params.goal(context.mixture.weights.alpha(), context.certificate.radius, smoother);
        let target = params.target_radius.map(TargetRadius::in_force);
        VoteLoop {
            smoother,
            spec: &engine.spec,
            reservation,
            chunking: engine.vote_chunking,
            rule: VoteRule {
                plan: SmoothingPlan {
                    target_radius: target.map(|target| radius_to_prove(target, snapping_loss)),
                    ..goal.plan()
                },
                classes: engine.labels.len(),
                vote_budget: params.vote_budget,
                snapping_loss,
            },
            context: CertificateContext {
                weights: context.mixture.weights,
                bound: params.bound,
                vote_budget: params.vote_budget,
                selection_votes: context.certificate.selection_votes,
                noise_key,
                snapping_loss,
                requested_target_radius: target,
                largest_possible_radius: goal.unanimous_radius(),
                batch_size: engine.scheduler.max_batch_size().robust,
                unavailable_reason: unavailable_reason(&engine.robust.guarantee, context.mixture.weights.alpha()),
            },
            stop_at,
            deadline: reservation.deadline(),
            drain_deadline: &engine.drain_deadline,
            standard_log_probs,
            trace,
            sequence: params.model_outputs.then(Vec::new),
        }
    }
}
