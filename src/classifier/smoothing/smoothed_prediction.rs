//! From a vote_counts to what a smoothed model says of one input.

use super::vote_counts::VoteCounts;
use crate::certificate::{LOG_FLOOR, RadiusMethod, SmoothedRadius, SmoothingPlan, Tally};
use crate::classifier::prediction::robust_prediction::{RobustPrediction, conclude};
use crate::domain::{Bound, Certificate, InputSpec, Method, Norm, Sampling, Status, StopReason};

/// What is fixed about the certificate of one input before the first vote.
#[derive(Debug, Clone)]
pub(in crate::classifier) struct CertificateContext {
    pub(in crate::classifier) bound: Bound,
    pub(in crate::classifier) selection_votes: u64,
    pub(in crate::classifier) noise_key: [u8; 32],
    pub(in crate::classifier) snapping_loss: f64,
    /// Rows of one run: F is the model at this batch shape.
    pub(in crate::classifier) batch_size: usize,
    pub(in crate::classifier) unavailable: Option<String>,
}

/// `ln h` from the shares of votes.
pub(in crate::classifier) fn log_shares(vote_counts: &VoteCounts) -> Vec<f64> {
    vote_counts
        .shares()
        .into_iter()
        .map(|share| if share > 0.0 { share.ln() } else { LOG_FLOOR })
        .collect()
}

/// The radius that is left of `proven`.
///
/// Beside the snapping, 4 units in the last place come off: the noise table's scale is `levels * sigma` rounded to a
/// double, so that the noise has a sigma that differs by less.
pub(in crate::classifier) fn served_radius(proven: f64, snapping_loss: f64) -> f64 {
    let rounded = proven * (1.0 - 4.0 * f64::EPSILON);
    if snapping_loss > 0.0 {
        (rounded - snapping_loss).next_down().max(0.0)
    } else {
        rounded
    }
}

/// What must be proven so that [`served_radius`] is at least `target`.
pub(in crate::classifier) fn radius_to_prove(target: f64, snapping_loss: f64) -> f64 {
    ((target + snapping_loss).next_up() * (1.0 + 16.0 * f64::EPSILON)).next_up()
}

/// The answer after `vote_counts`, whose estimation votes prove `proven` about `class`.
pub(in crate::classifier) fn answer(
    vote_counts: &VoteCounts,
    class: usize,
    plan: &SmoothingPlan,
    proven: &SmoothedRadius,
    terms: &CertificateContext,
    spec: &InputSpec,
    stop_reason: StopReason,
) -> RobustPrediction {
    let tally = vote_counts.tally(class);
    let certificate = Certificate {
        status: Status::Abstained,
        radius: served_radius(proven.radius, terms.snapping_loss),
        norm: Some(Norm::L2),
        method: Some(match plan.radius_method {
            RadiusMethod::Tight => Method::Tight,
            RadiusMethod::Theorem2 => Method::Theorem2,
        }),
        sampling: Some(sampling(plan, tally, vote_counts.drawn(), proven, terms)),
        stop_reason,
        ..Certificate::unavailable("")
    };
    let certificate = match &terms.unavailable {
        Some(reason) => certificate.withdrawn(reason.clone()),
        None => conclude(certificate, spec, || abstention(plan, tally, proven, terms)),
    };
    let certified_class = (certificate.status == Status::Certified).then_some(class);
    RobustPrediction {
        log_probs: log_shares(vote_counts),
        certified_class,
        certificate,
    }
}

/// The answer when the deadline came before the class was even chosen.
pub(in crate::classifier) fn unfinished(vote_counts: &VoteCounts, terms: &CertificateContext) -> RobustPrediction {
    let reason = format!(
        "the deadline came after {} of {} selection votes",
        vote_counts.drawn(),
        terms.selection_votes
    );
    let certificate = Certificate {
        status: Status::Abstained,
        stop_reason: StopReason::Deadline,
        norm: Some(Norm::L2),
        ..Certificate::unavailable(reason)
    };
    RobustPrediction {
        log_probs: log_shares(vote_counts),
        certified_class: None,
        certificate,
    }
}

fn sampling(
    plan: &SmoothingPlan,
    tally: Tally,
    votes_drawn: u64,
    proven: &SmoothedRadius,
    terms: &CertificateContext,
) -> Sampling {
    Sampling {
        failure_probability: plan.failure_probability.get(),
        bound: terms.bound,
        votes: tally.votes,
        votes_for_class: tally.votes_for_class,
        votes_for_runner_up: tally.votes_for_runner_up,
        selection_votes: terms.selection_votes,
        votes_drawn,
        lower_bound: proven.p_lower.value(),
        upper_bound: proven.p_upper.value(),
        two_sided: plan.sides == crate::certificate::Sides::TwoSided,
        target_radius: plan.target_radius,
        noise_key: terms.noise_key,
        batch_size: terms.batch_size,
        sigma: plan.sigma.get(),
        total_variation: plan.total_variation,
        snapping_loss: terms.snapping_loss,
    }
}

fn abstention(plan: &SmoothingPlan, tally: Tally, proven: &SmoothedRadius, terms: &CertificateContext) -> String {
    let Tally {
        votes, votes_for_class, ..
    } = tally;
    if proven.radius > 0.0 {
        let (radius, loss) = (proven.radius, terms.snapping_loss);
        return format!("the proven radius {radius:.4} is less than the {loss:.4} lost by snapping inputs to the grid");
    }
    if terms.bound == Bound::ClopperPearson && proven.p_lower.value() == 0.0 && votes_for_class > 0 {
        return format!(
            "a Clopper-Pearson bound holds for the number of votes fixed beforehand alone; {votes} were drawn"
        );
    }
    format!(
        "{votes_for_class} of {votes} votes prove h >= {:.4} for the class and <= {:.4} for any other; the difference must \
         exceed (1 - alpha) / alpha = {:.4}",
        proven.p_lower.value(),
        proven.p_upper.value(),
        plan.alpha.margin_needed()
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A radius that is proven as far as was asked for is served no shorter than the caller's target.
        #[test]
        fn a_target_survives_what_comes_off(target in 1e-9..100.0f64, loss in prop_oneof![Just(0.0), 1e-9..10.0f64]) {
            prop_assert!(served_radius(radius_to_prove(target, loss), loss) >= target);
            prop_assert!(radius_to_prove(target, loss) <= (target + loss) * (1.0 + 1e-14));
        }

        #[test]
        fn what_is_served_was_proven(proven in 0.0..100.0f64, loss in 0.0..10.0f64) {
            prop_assert!(served_radius(proven, loss) <= (proven - loss).max(0.0));
        }
    }
}
