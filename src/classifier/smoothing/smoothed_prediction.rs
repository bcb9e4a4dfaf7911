//! Converts the votes on one input to the prediction of a smoothed model.

use super::vote_counts::VoteCounts;
use crate::certificate::{LOG_FLOOR, RadiusMethod, Sides, SmoothedRadius, SmoothingPlan, Tally, served_radius};
use crate::classifier::prediction::certificate_completion::complete_certificate;
use crate::classifier::prediction::robust_prediction::RobustPrediction;
use crate::domain::{
    BoundKind, Certificate, CertificateMethod, CertificateStatus, InputSpec, Norm, SamplingDetails, StopReason,
};

/// The parts of a certificate that are fixed before the first vote.
#[derive(Debug, Clone)]
pub(in crate::classifier) struct CertificateContext {
    pub(in crate::classifier) bound: BoundKind,
    pub(in crate::classifier) selection_votes: u64,
    pub(in crate::classifier) noise_key: [u8; 32],
    pub(in crate::classifier) snapping_loss: f64,
    /// Rows in one run. The base classifier is the model at this batch shape.
    pub(in crate::classifier) batch_size: usize,
    /// The reason why no input can be certified; `None` if an input can be certified.
    pub(in crate::classifier) unavailable_reason: Option<String>,
}

/// Returns `ln h`, the logarithm of each class's share of the votes.
pub(super) fn log_vote_shares(counts: &VoteCounts) -> Vec<f64> {
    counts
        .shares()
        .into_iter()
        .map(|share| if share > 0.0 { share.ln() } else { LOG_FLOOR })
        .collect()
}

/// Returns the prediction after the votes in `counts`. The estimation votes prove `proven` for
/// `class`, which the selection votes chose.
pub(super) fn prediction_from_votes(
    counts: &VoteCounts,
    class: usize,
    plan: &SmoothingPlan,
    proven: &SmoothedRadius,
    context: &CertificateContext,
    spec: &InputSpec,
    stop_reason: StopReason,
) -> RobustPrediction {
    let tally = counts.estimation_tally(class);
    let certificate = Certificate {
        status: CertificateStatus::Abstained,
        radius: served_radius(proven.radius, context.snapping_loss),
        norm: Some(Norm::L2),
        method: Some(match plan.radius_method {
            RadiusMethod::Tight => CertificateMethod::Tight,
            RadiusMethod::Theorem2 => CertificateMethod::Theorem2,
        }),
        sampling: Some(sampling(plan, tally, counts.drawn(), proven, context)),
        stop_reason,
        ..Certificate::unavailable("")
    };
    let certificate = match &context.unavailable_reason {
        Some(reason) => certificate.withdrawn(reason.clone()),
        None => complete_certificate(certificate, spec, || abstention_reason(plan, tally, proven, context)),
    };
    let certified_class = (certificate.status == CertificateStatus::Certified).then_some(class);
    RobustPrediction {
        log_probs: log_vote_shares(counts),
        certified_class,
        certificate,
    }
}

/// Returns the prediction when the deadline passes before the selection votes choose a class.
pub(super) fn prediction_without_selection(counts: &VoteCounts, context: &CertificateContext) -> RobustPrediction {
    let reason = format!(
        "the deadline passed after {} of {} selection votes",
        counts.drawn(),
        context.selection_votes
    );
    let certificate = Certificate {
        status: CertificateStatus::Abstained,
        stop_reason: StopReason::Deadline,
        norm: Some(Norm::L2),
        ..Certificate::unavailable(reason)
    };
    RobustPrediction {
        log_probs: log_vote_shares(counts),
        certified_class: None,
        certificate,
    }
}

fn sampling(
    plan: &SmoothingPlan,
    tally: Tally,
    votes_drawn: u64,
    proven: &SmoothedRadius,
    context: &CertificateContext,
) -> SamplingDetails {
    SamplingDetails {
        failure_probability: plan.failure_probability.get(),
        bound: context.bound,
        votes: tally.votes,
        votes_for_class: tally.votes_for_class,
        votes_for_runner_up: tally.votes_for_runner_up,
        selection_votes: context.selection_votes,
        votes_drawn,
        lower_bound: proven.p_lower.value(),
        upper_bound: proven.p_upper.value(),
        two_sided: plan.sides == Sides::TwoSided,
        target_radius: plan.target_radius,
        noise_key: context.noise_key,
        batch_size: context.batch_size,
        sigma: plan.sigma.get(),
        total_variation: plan.total_variation,
        snapping_loss: context.snapping_loss,
    }
}

/// Returns the reason why these votes certify no radius.
fn abstention_reason(
    plan: &SmoothingPlan,
    tally: Tally,
    proven: &SmoothedRadius,
    context: &CertificateContext,
) -> String {
    let Tally {
        votes, votes_for_class, ..
    } = tally;
    if proven.radius > 0.0 {
        let (radius, loss) = (proven.radius, context.snapping_loss);
        return format!("the proven radius {radius:.4} is less than the snapping loss {loss:.4} of the input grid");
    }
    if context.bound == BoundKind::ClopperPearson && proven.p_lower.value() == 0.0 && votes_for_class > 0 {
        return format!(
            "a Clopper-Pearson bound holds only for the number of votes fixed beforehand; {votes} votes were drawn"
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
