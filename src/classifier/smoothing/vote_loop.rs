//! The loop of votes: draw, count in order, decide, until the certificate is what was asked for.
//!
//! A few chunks of votes are outstanding at a time, so that every executor has work while the votes of the last chunk are
//! counted. Votes are counted in the order of their counter: the oldest chunk is always awaited first. When the loop
//! ends, the chunks still outstanding are dropped, and the scheduler skips what has not started.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::time::timeout_at;

use super::smoothed_prediction::{self, CertificateContext};
use super::smoother::{Smoother, SnappedInput};
use super::vote_counts::{self, VoteCounts};
use super::vote_trace::VoteTrace;
use crate::certificate::noise::NoiseKey;
use crate::certificate::{Decision, Sides, SmoothingPlan, certify, choose_sides, decide};
use crate::classifier::ClassifierError;
use crate::classifier::drain_deadline::DrainDeadline;
use crate::classifier::prediction::robust_prediction::RobustPrediction;
use crate::domain::{InputSpec, PerRole, StopReason, Window};
use crate::scheduler::{Pending, Reservation, ScheduleError};

/// Everything that the loop of one input needs.
pub(in crate::classifier) struct VoteLoop<'a> {
    pub(in crate::classifier) smoother: &'a Smoother,
    pub(in crate::classifier) spec: &'a InputSpec,
    pub(in crate::classifier) classes: usize,
    pub(in crate::classifier) room: &'a Reservation,
    /// Votes that are drawn together and looked at together.
    pub(in crate::classifier) chunk: usize,
    /// VoteChunking outstanding at a time.
    pub(in crate::classifier) depth: usize,
    pub(in crate::classifier) plan: SmoothingPlan,
    pub(in crate::classifier) terms: CertificateContext,
    pub(in crate::classifier) vote_budget: u64,
    /// When to stop once there is something to answer.
    pub(in crate::classifier) stop_at: Instant,
    /// When to stop in any case.
    pub(in crate::classifier) deadline: Instant,
    /// When to stop because the server does.
    pub(in crate::classifier) drain_deadline: &'a DrainDeadline,
    /// Where the looks are kept; none without shadow alphas.
    pub(in crate::classifier) trace: Option<&'a mut VoteTrace>,
}

/// What a loop has drawn.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::classifier) struct DrawnVotes {
    /// Votes that were counted.
    pub(in crate::classifier) votes: u64,
    /// When their rows waited and ran.
    pub(in crate::classifier) window: Option<Window>,
}

impl VoteLoop<'_> {
    /// Draws votes of `input`. Each time the radius has grown, `grown` is told.
    pub(in crate::classifier) async fn run(
        mut self,
        input: &SnappedInput,
        key: &NoiseKey,
        grown: &mut (dyn FnMut(RobustPrediction) + Send),
    ) -> Result<(RobustPrediction, DrawnVotes), ClassifierError> {
        let mut window: Option<Window> = None;
        let total = self.terms.selection_votes.saturating_add(self.vote_budget);
        let mut vote_counts = VoteCounts::new(self.classes, self.terms.selection_votes);
        let mut outstanding: VecDeque<Pending> = VecDeque::with_capacity(self.depth);
        let mut submitted = 0;
        let mut best: Option<RobustPrediction> = None;
        let mut drain_deadline = std::pin::pin!(self.drain_deadline.comes());
        let stop_reason = loop {
            while outstanding.len() < self.depth && submitted < total {
                let rows = usize::try_from(total - submitted).map_or(self.chunk, |left| left.min(self.chunk));
                let source = Box::new(self.smoother.rows(input, key, submitted));
                let votes = PerRole {
                    standard: 0,
                    robust: rows,
                };
                outstanding.push_back(self.room.submit(source, votes));
                submitted += u64::try_from(rows).unwrap_or(u64::MAX);
            }
            let Some(oldest) = outstanding.pop_front() else {
                break StopReason::VoteBudget;
            };
            if vote_counts.estimation_votes() > 0 && Instant::now() >= self.stop_at {
                break StopReason::Deadline;
            }
            let until = if vote_counts.estimation_votes() > 0 {
                self.stop_at
            } else {
                self.deadline
            };
            let outputs = tokio::select! {
                biased;
                outputs = timeout_at(until.into(), oldest) => outputs,
                // Not before there is something to answer with: an input that comes late costs a chunk or two.
                () = &mut drain_deadline, if vote_counts.estimation_votes() > 0 => break StopReason::Deadline,
            };
            let outputs = match outputs {
                Err(_) | Ok(Err(ScheduleError::Expired)) => break StopReason::Deadline,
                Ok(outputs) => outputs?,
            };
            let ran = outputs.windows.robust;
            window = window.map_or(ran, |window| ran.map(|ran| window.and(ran)));
            let chosen_before = vote_counts.class().is_some();
            let logits = &outputs.rows.robust;
            logits
                .chunks_exact(self.classes)
                .for_each(|logits| vote_counts.cast(vote_counts::vote(logits)));
            let Some(class) = vote_counts.class() else { continue };
            if !chosen_before {
                self.plan.sides = self.sides(&vote_counts, class)?;
            }
            if vote_counts.estimation_votes() == 0 {
                continue;
            }
            if let Some(trace) = &mut self.trace {
                trace.look(vote_counts.tally(class));
            }
            if self.terms.unavailable.is_some() {
                continue;
            }
            let proven = certify(&self.plan, vote_counts.tally(class))?;
            let served = smoothed_prediction::served_radius(proven.radius, self.terms.snapping_loss);
            // The bounds hold at all moments at once, so the best moment so far may be reported.
            if served > best.as_ref().map_or(0.0, |best| best.certificate.radius) {
                let stop = StopReason::VoteBudget;
                let answer =
                    smoothed_prediction::answer(&vote_counts, class, &self.plan, &proven, &self.terms, self.spec, stop);
                grown(answer.clone());
                best = Some(answer);
            }
            match decide(&self.plan, vote_counts.tally(class), self.vote_budget)? {
                Decision::Continue => {}
                Decision::TargetReached => break StopReason::TargetReached,
                Decision::TargetOutOfReach => break StopReason::TargetOutOfReach,
                Decision::VoteBudget => break StopReason::VoteBudget,
            }
        };
        let drawn = DrawnVotes {
            votes: vote_counts.drawn(),
            window,
        };
        if let Some(trace) = &mut self.trace {
            trace.end(&vote_counts);
        }
        if let Some(mut best) = best {
            best.certificate.stop_reason = stop_reason;
            if let Some(sampling) = &mut best.certificate.sampling {
                sampling.votes_drawn = vote_counts.drawn();
            }
            return Ok((best, drawn));
        }
        if vote_counts.drawn() == 0 {
            return Err(ClassifierError::DeadlineExceeded);
        }
        let Some(class) = vote_counts.class() else {
            return Ok((smoothed_prediction::unfinished(&vote_counts, &self.terms), drawn));
        };
        let proven = certify(&self.plan, vote_counts.tally(class))?;
        let (plan, terms) = (&self.plan, &self.terms);
        let answer = smoothed_prediction::answer(&vote_counts, class, plan, &proven, terms, self.spec, stop_reason);
        Ok((answer, drawn))
    }

    /// One- or two-sided bounds, from the selection votes alone: before the first estimation vote is looked at.
    fn sides(&self, vote_counts: &VoteCounts, class: usize) -> Result<Sides, ClassifierError> {
        Ok(choose_sides(
            &self.plan,
            vote_counts.selection_tally(class),
            self.classes,
            self.vote_budget,
        )?)
    }
}
