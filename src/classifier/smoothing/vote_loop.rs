//! The vote loop of one input: draws votes, counts them in order, and decides when to stop.
//!
//! Several chunks of votes are outstanding at the same time, so every executor has work while the
//! loop counts the last chunk. The loop counts votes in the order of their index: it always awaits
//! the oldest chunk first. When the loop ends, it drops the outstanding chunks, and the scheduler
//! skips the rows that have not started.

use std::collections::VecDeque;
use std::sync::OnceLock;
use std::time::Instant;

use tokio::time::timeout_at;

use super::class_choice::{MAX_CLASS_VOTES, class_of_mixture};
use super::smoothed_prediction::{CertificateContext, prediction_from_votes, prediction_without_selection};
use super::smoother::Smoother;
use super::snapping::SnappedInput;
use super::vote_chunking::VoteChunking;
use super::vote_counts::{VoteCounts, vote};
use super::vote_trace::VoteTrace;
use crate::certificate::noise::NoiseKey;
use crate::certificate::{Decision, EstimationPhase, VoteRule};
use crate::classifier::drain_deadline::DrainDeadline;
use crate::classifier::error::ClassifierError;
use crate::classifier::prediction::robust_prediction::RobustPrediction;
use crate::domain::{ExecutionWindow, InputSpec, PerRole, StopReason};
use crate::scheduler::{JobHandle, JobOutputs, Reservation, ScheduleError};

/// Everything that the vote loop of one input needs.
pub(in crate::classifier) struct VoteLoop<'a> {
    pub(in crate::classifier) smoother: &'a Smoother,
    pub(in crate::classifier) spec: &'a InputSpec,
    pub(in crate::classifier) reservation: &'a Reservation,
    pub(in crate::classifier) chunking: VoteChunking,
    /// Selects the sides, certifies each tally and decides when to stop.
    pub(in crate::classifier) rule: VoteRule,
    pub(in crate::classifier) context: CertificateContext,
    /// The loop stops at this time if it has an estimation vote.
    pub(in crate::classifier) stop_at: Instant,
    /// The loop stops at this time in any case.
    pub(in crate::classifier) deadline: Instant,
    /// The loop stops when the server drains, if it has an estimation vote.
    pub(in crate::classifier) drain_deadline: &'a DrainDeadline,
    /// `ln g`, once the row of the standard model has come back.
    pub(in crate::classifier) standard_log_probs: &'a OnceLock<Vec<f64>>,
    /// Records the evaluated tallies; `None` without shadow candidates.
    pub(in crate::classifier) trace: Option<&'a mut VoteTrace>,
    /// Collects the class of each vote; `None` if the caller needs no votes. The loop draws the whole
    /// budget for a caller who does.
    pub(in crate::classifier) sequence: Option<Vec<Option<u32>>>,
}

/// The votes that a loop drew.
#[derive(Debug)]
pub(in crate::classifier) struct DrawnVotes {
    /// The counted votes.
    pub(in crate::classifier) counts: VoteCounts,
    /// When the rows of the votes waited and ran.
    pub(in crate::classifier) window: Option<ExecutionWindow>,
    /// The class of each counted vote, if the loop collects them.
    pub(in crate::classifier) sequence: Option<Vec<Option<u32>>>,
}

/// The counted votes of a running loop, and the best prediction from them.
struct VoteProgress {
    counts: VoteCounts,
    /// The selected class and its estimation phase; `None` while selection votes are missing.
    selection: Option<(usize, EstimationPhase)>,
    /// The prediction with the largest radius; `None` until a radius is positive.
    best: Option<RobustPrediction>,
}

impl VoteLoop<'_> {
    /// Draws votes on `input` with the noise of `key`. Calls `on_better` with each prediction that
    /// has a larger radius than all before it.
    ///
    /// # Errors
    /// Returns an error if the deadline passes before the first vote, or if the model fails.
    pub(in crate::classifier) async fn run(
        mut self,
        input: &SnappedInput,
        key: &NoiseKey,
        on_better: &mut (dyn FnMut(RobustPrediction) + Send),
    ) -> Result<(RobustPrediction, DrawnVotes), ClassifierError> {
        let mut window: Option<ExecutionWindow> = None;
        let mut progress = VoteProgress {
            counts: VoteCounts::new(self.rule.classes, self.context.selection_votes),
            selection: None,
            best: None,
        };
        let mut outstanding = VecDeque::with_capacity(self.chunking.chunks_in_flight);
        let mut submitted = 0;
        let mut draining = std::pin::pin!(self.drain_deadline.reached());
        let stop_reason = loop {
            self.submit_chunks(input, key, &mut outstanding, &mut submitted);
            let Some(oldest) = outstanding.pop_front() else {
                break match self.context.unavailable_reason {
                    Some(_) => StopReason::ClassSettled,
                    None => StopReason::VoteBudget,
                };
            };
            let has_estimate = progress.counts.estimation_votes() > 0;
            if has_estimate && Instant::now() >= self.stop_at {
                break StopReason::Deadline;
            }
            let wait_until = if has_estimate { self.stop_at } else { self.deadline };
            let outputs = tokio::select! {
                biased;
                outputs = timeout_at(wait_until.into(), oldest) => outputs,
                // The loop does not stop before it has an estimation vote. An input that arrives
                // late costs a chunk or two.
                () = &mut draining, if has_estimate => break StopReason::Deadline,
            };
            let outputs = match outputs {
                Err(_) | Ok(Err(ScheduleError::Expired)) => break StopReason::Deadline,
                Ok(outputs) => outputs?,
            };
            window = merge_windows(window, &outputs);
            for logits in outputs.rows.robust.chunks_exact(self.rule.classes) {
                let class = vote(logits);
                progress.counts.add(class);
                if let Some(sequence) = &mut self.sequence {
                    sequence.push(class.and_then(|class| u32::try_from(class).ok()));
                }
            }
            let stop_reason = self.evaluate(&mut progress, on_better)?;
            if let Some(stop_reason) = stop_reason.filter(|_| self.sequence.is_none()) {
                break stop_reason;
            }
        };
        let drawn = DrawnVotes {
            counts: progress.counts.clone(),
            window,
            sequence: self.sequence.take(),
        };
        if let Some(trace) = &mut self.trace {
            trace.finish(&progress.counts);
        }
        Ok((self.final_prediction(progress, stop_reason)?, drawn))
    }

    /// Evaluates the votes counted so far by the vote rule. Returns the reason to stop, or `None`
    /// to continue. Where no input can be certified, the votes stop once they settle the class.
    fn evaluate(
        &mut self,
        progress: &mut VoteProgress,
        on_better: &mut (dyn FnMut(RobustPrediction) + Send),
    ) -> Result<Option<StopReason>, ClassifierError> {
        let counts = &progress.counts;
        let class_settled = self.context.unavailable_reason.is_some() && self.class_is_settled(counts)?;
        let Some(class) = counts.selected_class() else {
            return Ok(class_settled.then_some(StopReason::ClassSettled));
        };
        let (_, phase) = match &mut progress.selection {
            Some(selection) => selection,
            // The rule reads only the selection votes, and does so before the first estimation vote
            // is evaluated.
            None => progress
                .selection
                .insert((class, self.rule.select(counts.selection_tally(class))?)),
        };
        if counts.estimation_votes() == 0 {
            return Ok(class_settled.then_some(StopReason::ClassSettled));
        }
        let tally = counts.estimation_tally(class);
        if let Some(trace) = &mut self.trace {
            trace.record(tally);
        }
        if self.context.unavailable_reason.is_some() {
            return Ok(class_settled.then_some(StopReason::ClassSettled));
        }
        let look = phase.look(tally)?;
        if look.is_best {
            let (plan, stop_reason) = (phase.plan(), StopReason::VoteBudget);
            let prediction =
                prediction_from_votes(counts, class, plan, &look.proven, &self.context, self.spec, stop_reason)?;
            on_better(prediction.clone());
            progress.best = Some(prediction);
        }
        Ok(match look.decision {
            Decision::Continue => None,
            Decision::TargetReached => Some(StopReason::TargetReached),
            Decision::TargetOutOfReach => Some(StopReason::TargetOutOfReach),
            Decision::VoteBudget => Some(StopReason::VoteBudget),
        })
    }

    /// Returns the best prediction, or the prediction from all votes if no radius was positive.
    fn final_prediction(
        &self,
        progress: VoteProgress,
        stop_reason: StopReason,
    ) -> Result<RobustPrediction, ClassifierError> {
        let VoteProgress {
            counts,
            selection,
            best,
        } = progress;
        match (best, selection) {
            (Some(best), _) => Ok(with_final_votes(best, &counts, stop_reason)),
            (None, _) if counts.drawn() == 0 => Err(ClassifierError::DeadlineExceeded),
            (None, None) => Ok(prediction_without_selection(&counts, &self.context, stop_reason)),
            (None, Some((class, phase))) => {
                let proven = phase.certify(counts.estimation_tally(class))?;
                let (plan, context) = (phase.plan(), &self.context);
                prediction_from_votes(&counts, class, plan, &proven, context, self.spec, stop_reason)
            }
        }
    }

    /// The most votes of both kinds.
    fn vote_limit(&self) -> u64 {
        let limit = self.context.selection_votes.saturating_add(self.rule.vote_budget);
        match self.context.unavailable_reason {
            Some(_) if self.sequence.is_none() => limit.min(MAX_CLASS_VOTES),
            _ => limit,
        }
    }

    /// Whether the votes settle the class of the mixture. They do not before the row of the standard
    /// model has come back.
    fn class_is_settled(&self, counts: &VoteCounts) -> Result<bool, ClassifierError> {
        let Some(standard_log_probs) = self.standard_log_probs.get() else {
            return Ok(false);
        };
        Ok(class_of_mixture(self.context.weights, standard_log_probs, counts)?.is_some())
    }

    /// Submits chunks until the allowed number is outstanding or all votes are submitted.
    fn submit_chunks(
        &self,
        input: &SnappedInput,
        key: &NoiseKey,
        outstanding: &mut VecDeque<JobHandle>,
        submitted: &mut u64,
    ) {
        let total = self.vote_limit();
        let chunk_votes = self.chunking.chunk_votes;
        while outstanding.len() < self.chunking.chunks_in_flight && *submitted < total {
            let votes = usize::try_from(total - *submitted).map_or(chunk_votes, |left| left.min(chunk_votes));
            let rows = Box::new(self.smoother.noisy_rows(input, key, *submitted));
            let row_counts = PerRole {
                standard: 0,
                robust: votes,
            };
            outstanding.push_back(self.reservation.submit(rows, row_counts));
            *submitted += u64::try_from(votes).unwrap_or(u64::MAX);
        }
    }
}

/// Extends `window` by the time in which the rows of `outputs` waited and ran.
fn merge_windows(window: Option<ExecutionWindow>, outputs: &JobOutputs) -> Option<ExecutionWindow> {
    let latest = outputs.windows.robust;
    window.map_or(latest, |window| latest.map(|latest| window.merge(latest)))
}

/// Sets the reason why the loop stopped, and the number of votes that it drew in total.
fn with_final_votes(mut best: RobustPrediction, counts: &VoteCounts, stop_reason: StopReason) -> RobustPrediction {
    best.certificate.stop_reason = stop_reason;
    if let Some(sampling) = &mut best.certificate.sampling {
        sampling.votes_drawn = counts.drawn();
    }
    best
}
