//! Answers from a row of the standard model and the votes of a smoothed robust model.
//!
//! A replay drives the vote rule with recorded votes as the vote loop drives it with new ones: it
//! looks at the votes after each chunk, keeps the best look, and stops where the rule stops. One
//! difference remains: the vote loop of a request may end at a deadline.

use std::collections::HashMap;
use std::time::Duration;

use super::answer::RecomputedAnswer;
use crate::certificate::{
    Alpha, CertificateError, ClassIntervals, EstimationPhase, FailureProbability, MarginReach, MixingWeights,
    RadiusMethod, Sides, Sigma, Tally, Temperature, VoteRule, argmax, radius_to_prove,
};
use crate::classifier::prediction::certificate_completion::RadiusLimit;
use crate::classifier::prediction::evaluated_models::EvaluatedModels;
use crate::classifier::prediction::lipschitz;
use crate::classifier::prediction::unavailability::can_certify;
use crate::classifier::smoothing::class_choice::MAX_CLASS_VOTES;
use crate::classifier::smoothing::target_radius::{CertificationGoal, TargetRadius, target_of_candidate};
use crate::classifier::smoothing::vote_chunking::VoteChunking;
use crate::classifier::smoothing::vote_counts::VoteCounts;
use crate::domain::{BoundKind, CertificateStatus, Norm};

/// The most remembered results of each kind. Further ones are computed again.
const MAX_REMEMBERED: usize = 1 << 17;

/// The conditions of an answer by votes, beside the mixture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VoteConditions {
    /// The standard deviation of the noise.
    pub sigma: Sigma,
    /// The total-variation distance between the drawn noise and the exact one, over the whole input.
    pub total_variation: f64,
    /// The first votes, which choose the class and the sides.
    pub selection_votes: u64,
    /// The most votes after them.
    pub vote_budget: u64,
    /// The radius at which the votes stop, before the cap of the alpha; `None` to spend every vote.
    pub target_radius: Option<f64>,
    /// The bound on a probability.
    pub bound: BoundKind,
    /// The votes between two looks; at least 1.
    pub chunk_votes: u64,
}

/// The votes between two looks of a server whose robust model runs `batch_size` rows at once, in
/// `row_time` each.
#[must_use]
pub fn chunk_votes_for(batch_size: usize, row_time: Duration) -> u64 {
    let chunking = VoteChunking::new(batch_size.max(1), row_time, 1, usize::MAX);
    u64::try_from(chunking.chunk_votes).unwrap_or(u64::MAX)
}

/// The outputs of both models for one input, and what depends on no mixture.
pub struct RecordedVotes<'a> {
    votes: &'a [Option<u32>],
    classes: usize,
    selection_votes: u64,
    /// The number of votes of both kinds at each look, ascending.
    boundaries: Vec<u64>,
    /// The selected class, and the tally of the selection votes for it; `None` if votes are missing.
    selection: Option<(usize, Tally)>,
    /// The estimation votes at each look that has any.
    looks: Vec<(u64, Tally)>,
    standard_log_probs: Vec<f64>,
    snapping_loss: f64,
    /// The intervals of the classes after some numbers of votes.
    intervals: Vec<IntervalsAt>,
}

/// The intervals after a number of votes, and what an alpha reaches with them. Settings with the same
/// alpha come one after the other.
struct IntervalsAt {
    drawn: u64,
    intervals: ClassIntervals,
    reach: Option<(Alpha, MarginReach)>,
}

impl IntervalsAt {
    fn settled_class(&mut self, weights: MixingWeights) -> Option<usize> {
        let (intervals, known, alpha) = (&self.intervals, &mut self.reach, weights.alpha());
        let reach = || match *known {
            Some((of, reach)) if of == alpha => reach,
            _ => known.insert((alpha, intervals.margin_reach(alpha))).1,
        };
        intervals.settled_class_within(reach, weights)
    }
}

impl<'a> RecordedVotes<'a> {
    /// The row of the standard model, K values, and the class of each vote in the order of its
    /// counter. Votes beyond the budget of `conditions` are ignored.
    #[must_use]
    pub fn new(
        models: &EvaluatedModels,
        conditions: &VoteConditions,
        standard: &[f32],
        votes: &'a [Option<u32>],
        snapping_loss: f64,
    ) -> Self {
        let limit = conditions.selection_votes.saturating_add(conditions.vote_budget);
        let votes = usize::try_from(limit).map_or(votes, |limit| votes.get(..limit).unwrap_or(votes));
        let mut counts = VoteCounts::new(models.classes, conditions.selection_votes);
        let (mut boundaries, mut looks) = (Vec::new(), Vec::new());
        let chunk = usize::try_from(conditions.chunk_votes).unwrap_or(usize::MAX).max(1);
        for chunk in votes.chunks(chunk) {
            chunk.iter().for_each(|&vote| counts.add(class_index(vote)));
            boundaries.push(counts.drawn());
            if let Some(class) = counts.selected_class().filter(|_| counts.estimation_votes() > 0) {
                looks.push((counts.drawn(), counts.estimation_tally(class)));
            }
        }
        Self {
            votes,
            classes: models.classes,
            selection_votes: conditions.selection_votes,
            boundaries,
            selection: counts
                .selected_class()
                .map(|class| (class, counts.selection_tally(class))),
            looks,
            standard_log_probs: lipschitz::log_probs(models.output_kinds.standard, standard, Temperature::ONE),
            snapping_loss,
            intervals: Vec::new(),
        }
    }

    /// The class that the standard model alone predicts.
    #[must_use]
    pub fn standard_class(&self) -> usize {
        argmax(&self.standard_log_probs).unwrap_or(0)
    }

    /// The class of the mixture where the first `drawn` votes settle it.
    fn settled_class(&mut self, drawn: u64, weights: MixingWeights) -> Result<Option<usize>, CertificateError> {
        if let Some(known) = self.intervals.iter_mut().find(|known| known.drawn == drawn) {
            return Ok(known.settled_class(weights));
        }
        let mut counts = VoteCounts::new(self.classes, self.selection_votes);
        let first = usize::try_from(drawn).unwrap_or(usize::MAX);
        self.votes
            .iter()
            .take(first)
            .for_each(|&vote| counts.add(class_index(vote)));
        let intervals = ClassIntervals::new(&self.standard_log_probs, &counts.all(), counts.drawn())?;
        let mut known = IntervalsAt {
            drawn,
            intervals,
            reach: None,
        };
        let settled = known.settled_class(weights);
        self.intervals.push(known);
        Ok(settled)
    }
}

fn class_index(vote: Option<u32>) -> Option<usize> {
    usize::try_from(vote?).ok()
}

/// What the votes of one input prove with one alpha, whatever the fallback weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VoteProof {
    /// The certified radius; `None` if nothing is certified.
    radius: Option<f64>,
    /// The votes of both kinds that the rule draws.
    drawn: u64,
    unfinished: bool,
}

/// The identity of one look: whatever its result depends on, for one rule.
#[derive(PartialEq, Eq, Hash)]
struct LookKey {
    sides: Sides,
    snapping_loss: u64,
    best_radius: u64,
    tally: Tally,
}

/// The vote rule with one alpha, for the recorded votes of many inputs.
///
/// Many inputs share their tallies. The replay calls the rule once for each state of the rule and
/// each tally, and remembers the next state.
pub struct VoteReplay {
    rule: VoteRule,
    /// The target in force, before the snapping loss is added.
    target: Option<f64>,
    can_certify: bool,
    limit: RadiusLimit,
    selections: HashMap<(u64, Tally), EstimationPhase>,
    looks: HashMap<LookKey, (EstimationPhase, bool)>,
}

impl VoteReplay {
    /// The rule of a server with this alpha, with the cap that the alpha has on the target.
    ///
    /// # Errors
    /// [`CertificateError`] for conditions out of range.
    pub fn new(
        models: &EvaluatedModels,
        conditions: &VoteConditions,
        alpha: Alpha,
        radius_method: RadiusMethod,
        failure_probability: FailureProbability,
    ) -> Result<Self, CertificateError> {
        let goal = CertificationGoal {
            alpha,
            sigma: conditions.sigma,
            total_variation: conditions.total_variation,
            radius_method,
            bound: conditions.bound,
            vote_budget: conditions.vote_budget,
            failure_probability,
        };
        let plan = goal.plan();
        let can_certify = can_certify(&models.guarantee, alpha);
        let target = match conditions.target_radius.filter(|_| can_certify) {
            Some(radius) => {
                let configured = TargetRadius::Configured { radius, capped: radius };
                target_of_candidate(configured, &plan, conditions.vote_budget)?
            }
            None => None,
        };
        Ok(Self {
            rule: VoteRule {
                plan,
                classes: models.classes,
                vote_budget: conditions.vote_budget,
                snapping_loss: 0.0,
            },
            target,
            can_certify,
            limit: RadiusLimit::new(&models.spec, Some(Norm::L2)),
            selections: HashMap::new(),
            looks: HashMap::new(),
        })
    }

    /// Replays the votes of one input.
    ///
    /// # Errors
    /// [`CertificateError`] for contradictory counts.
    pub fn prove(&mut self, votes: &RecordedVotes<'_>) -> Result<VoteProof, CertificateError> {
        let mut proof = VoteProof {
            radius: None,
            drawn: votes.boundaries.last().copied().unwrap_or(0),
            unfinished: self.can_certify,
        };
        let Some((_, selection)) = votes.selection.filter(|_| self.can_certify) else {
            return Ok(proof);
        };
        let start = self.select(selection, votes.snapping_loss)?;
        let (mut phase, mut best) = (start, 0.0);
        for &(drawn, tally) in &votes.looks {
            // Without a target, neither the decision nor the radius of a look depends on earlier
            // ones, so that looks of many inputs are the same.
            let state = if self.target.is_some() { phase } else { start };
            let is_stop;
            (phase, is_stop) = self.look(state, tally, votes.snapping_loss)?;
            if phase.best_radius() > best {
                best = phase.best_radius();
            }
            if is_stop {
                (proof.drawn, proof.unfinished) = (drawn, false);
                break;
            }
        }
        proof.radius = self.limit.certified(best).map(|certified| certified.radius);
        Ok(proof)
    }

    /// The answer for the input of `votes`, of which [`prove`](Self::prove) returned `proof`.
    /// `weights` have the alpha of this replay.
    ///
    /// # Errors
    /// [`CertificateError`] for contradictory counts.
    pub fn answer(
        &self,
        votes: &mut RecordedVotes<'_>,
        proof: VoteProof,
        weights: MixingWeights,
    ) -> Result<RecomputedAnswer, CertificateError> {
        if !self.can_certify {
            return Self::uncertifiable_answer(votes, weights);
        }
        let settled = |votes: &mut RecordedVotes<'_>| votes.settled_class(proof.drawn, weights);
        let class = match (proof.radius, votes.selection) {
            (Some(_), Some((class, _))) => class,
            _ => settled(votes)?.unwrap_or_else(|| votes.standard_class()),
        };
        Ok(RecomputedAnswer {
            class,
            status: match proof.radius {
                Some(_) => CertificateStatus::Certified,
                None => CertificateStatus::Abstained,
            },
            radius: proof.radius.unwrap_or(0.0),
            votes: proof.drawn,
            unfinished: proof.unfinished,
        })
    }

    /// The answer where no input can be certified: the votes stop once they settle the class.
    fn uncertifiable_answer(
        votes: &mut RecordedVotes<'_>,
        weights: MixingWeights,
    ) -> Result<RecomputedAnswer, CertificateError> {
        let mut drawn = 0;
        let mut class = None;
        for index in 0..votes.boundaries.len() {
            drawn = votes.boundaries[index].min(MAX_CLASS_VOTES);
            class = votes.settled_class(drawn, weights)?;
            if class.is_some() || drawn == MAX_CLASS_VOTES {
                break;
            }
        }
        Ok(RecomputedAnswer {
            class: class.unwrap_or_else(|| votes.standard_class()),
            status: CertificateStatus::Unavailable,
            radius: 0.0,
            votes: drawn,
            unfinished: false,
        })
    }

    /// The state of the rule after the selection votes.
    fn select(&mut self, selection: Tally, snapping_loss: f64) -> Result<EstimationPhase, CertificateError> {
        let key = (snapping_loss.to_bits(), selection);
        if let Some(&phase) = self.selections.get(&key) {
            return Ok(phase);
        }
        let mut rule = self.rule;
        rule.snapping_loss = snapping_loss;
        rule.plan.target_radius = self.target.map(|target| radius_to_prove(target, snapping_loss));
        let phase = rule.select(selection)?;
        if self.selections.len() < MAX_REMEMBERED {
            self.selections.insert(key, phase);
        }
        Ok(phase)
    }

    /// The state of the rule after it looks at `tally` in the state `phase`, and whether it stops.
    fn look(
        &mut self,
        mut phase: EstimationPhase,
        tally: Tally,
        snapping_loss: f64,
    ) -> Result<(EstimationPhase, bool), CertificateError> {
        let key = LookKey {
            sides: phase.plan().sides,
            snapping_loss: snapping_loss.to_bits(),
            best_radius: phase.best_radius().to_bits(),
            tally,
        };
        if let Some(&next) = self.looks.get(&key) {
            return Ok(next);
        }
        let is_stop = phase.look(tally)?.decision.is_stop();
        if self.looks.len() < MAX_REMEMBERED {
            self.looks.insert(key, (phase, is_stop));
        }
        Ok((phase, is_stop))
    }
}
