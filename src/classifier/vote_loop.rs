//! The loop of votes: draw, count in order, decide, until the certificate is what was asked for.
//!
//! A few chunks of votes are outstanding at a time, so that every executor has work while the votes of the last chunk are
//! counted. Votes are counted in the order of their counter: the oldest chunk is always awaited first. When the loop
//! ends, the chunks still outstanding are dropped, and the scheduler skips what has not started.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::time::timeout_at;

use super::ClassifierError;
use super::ballot::{self, Ballot};
use super::curfew::Curfew;
use super::robust::RobustAnswer;
use super::shadow::Trace;
use super::smoothed::{self, Terms};
use super::smoother::{Smoother, Snapped};
use crate::certificate::noise::NoiseKey;
use crate::certificate::{Decision, Sides, SmoothingPlan, certify, choose_sides, decide};
use crate::domain::{ExecutionWindow, InputSpec, PerRole, StopReason};
use crate::scheduler::{Pending, Reservation, ScheduleError};

/// Everything that the loop of one input needs.
pub(super) struct VoteLoop<'a> {
    pub(super) smoother: &'a Smoother,
    pub(super) spec: &'a InputSpec,
    pub(super) classes: usize,
    pub(super) room: &'a Reservation,
    /// Votes that are drawn together and looked at together.
    pub(super) chunk: usize,
    /// Chunks outstanding at a time.
    pub(super) depth: usize,
    pub(super) plan: SmoothingPlan,
    pub(super) terms: Terms,
    pub(super) vote_budget: u64,
    /// When to stop once there is something to answer.
    pub(super) stop_at: Instant,
    /// When to stop in any case.
    pub(super) deadline: Instant,
    /// When to stop because the server does.
    pub(super) curfew: &'a Curfew,
    /// Where the looks are kept; none without shadow alphas.
    pub(super) trace: Option<&'a mut Trace>,
}

/// What a loop has drawn.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Drawn {
    /// Votes that were counted.
    pub(super) votes: u64,
    /// When their rows waited and ran.
    pub(super) window: Option<ExecutionWindow>,
}

impl VoteLoop<'_> {
    /// Draws votes of `input`. Each time the radius has grown, `grown` is told.
    pub(super) async fn run(
        mut self,
        input: &Snapped,
        key: &NoiseKey,
        grown: &mut (dyn FnMut(RobustAnswer) + Send),
    ) -> Result<(RobustAnswer, Drawn), ClassifierError> {
        let mut window: Option<ExecutionWindow> = None;
        let total = self.terms.selection_votes.saturating_add(self.vote_budget);
        let mut ballot = Ballot::new(self.classes, self.terms.selection_votes);
        let mut outstanding: VecDeque<Pending> = VecDeque::with_capacity(self.depth);
        let mut submitted = 0;
        let mut best: Option<RobustAnswer> = None;
        let mut curfew = std::pin::pin!(self.curfew.comes());
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
            if ballot.estimation_votes() > 0 && Instant::now() >= self.stop_at {
                break StopReason::Deadline;
            }
            let until = if ballot.estimation_votes() > 0 {
                self.stop_at
            } else {
                self.deadline
            };
            let outputs = tokio::select! {
                biased;
                outputs = timeout_at(until.into(), oldest) => outputs,
                // Not before there is something to answer with: an input that comes late costs a chunk or two.
                () = &mut curfew, if ballot.estimation_votes() > 0 => break StopReason::Deadline,
            };
            let outputs = match outputs {
                Err(_) | Ok(Err(ScheduleError::Expired)) => break StopReason::Deadline,
                Ok(outputs) => outputs?,
            };
            let ran = outputs.windows.robust;
            window = window.map_or(ran, |window| ran.map(|ran| window.merge(ran)));
            let chosen_before = ballot.class().is_some();
            let logits = &outputs.rows.robust;
            logits
                .chunks_exact(self.classes)
                .for_each(|logits| ballot.cast(ballot::vote(logits)));
            let Some(class) = ballot.class() else { continue };
            if !chosen_before {
                self.plan.sides = self.sides(&ballot, class)?;
            }
            if ballot.estimation_votes() == 0 {
                continue;
            }
            if let Some(trace) = &mut self.trace {
                trace.look(ballot.tally(class));
            }
            if self.terms.unavailable.is_some() {
                continue;
            }
            let proven = certify(&self.plan, ballot.tally(class))?;
            let served = smoothed::served_radius(proven.radius, self.terms.snapping_loss);
            // The bounds hold at all moments at once, so the best moment so far may be reported.
            if served > best.as_ref().map_or(0.0, |best| best.certificate.radius) {
                let stop = StopReason::VoteBudget;
                let answer = smoothed::answer(&ballot, class, &self.plan, &proven, &self.terms, self.spec, stop);
                grown(answer.clone());
                best = Some(answer);
            }
            match decide(&self.plan, ballot.tally(class), self.vote_budget)? {
                Decision::Continue => {}
                Decision::TargetReached => break StopReason::TargetReached,
                Decision::TargetOutOfReach => break StopReason::TargetOutOfReach,
                Decision::VoteBudget => break StopReason::VoteBudget,
            }
        };
        let drawn = Drawn {
            votes: ballot.drawn(),
            window,
        };
        if let Some(trace) = &mut self.trace {
            trace.end(&ballot);
        }
        if let Some(mut best) = best {
            best.certificate.stop_reason = stop_reason;
            if let Some(sampling) = &mut best.certificate.sampling {
                sampling.votes_drawn = ballot.drawn();
            }
            return Ok((best, drawn));
        }
        if ballot.drawn() == 0 {
            return Err(ClassifierError::DeadlineExceeded);
        }
        let Some(class) = ballot.class() else {
            return Ok((smoothed::unfinished(&ballot, &self.terms), drawn));
        };
        let proven = certify(&self.plan, ballot.tally(class))?;
        let (plan, terms) = (&self.plan, &self.terms);
        let answer = smoothed::answer(&ballot, class, plan, &proven, terms, self.spec, stop_reason);
        Ok((answer, drawn))
    }

    /// One- or two-sided bounds, from the selection votes alone: before the first estimation vote is looked at.
    fn sides(&self, ballot: &Ballot, class: usize) -> Result<Sides, ClassifierError> {
        Ok(choose_sides(
            &self.plan,
            ballot.selection_tally(class),
            self.classes,
            self.vote_budget,
        )?)
    }
}
