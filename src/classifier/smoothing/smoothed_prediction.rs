//! Converts the votes on one input to the prediction of a smoothed model.

use super::abstention::abstention;
use super::vote_counts::VoteCounts;
use crate::certificate::{
    LOG_FLOOR, MixingWeights, Prospects, Sides, SmoothedRadius, SmoothingPlan, Tally, served_radius,
};
use crate::classifier::error::ClassifierError;
use crate::classifier::prediction::certificate_completion::complete_certificate;
use crate::classifier::prediction::robust_prediction::RobustPrediction;
use crate::domain::{
    AbstentionReason, BoundKind, Certificate, CertificateStatus, InputSpec, Norm, SamplingDetails, StopReason,
};

/// The parts of a certificate that are fixed before the first vote.
#[derive(Debug, Clone)]
pub(in crate::classifier) struct CertificateContext {
    /// The weights of the mixture, which decide the class where nothing is certified.
    pub(in crate::classifier) weights: MixingWeights,
    pub(in crate::classifier) bound: BoundKind,
    /// The most estimation votes.
    pub(in crate::classifier) vote_budget: u64,
    pub(in crate::classifier) selection_votes: u64,
    pub(in crate::classifier) noise_key: [u8; 32],
    pub(in crate::classifier) snapping_loss: f64,
    /// The target of the request, before the snapping loss is added to it.
    pub(in crate::classifier) requested_target_radius: Option<f64>,
    /// The radius that unanimous votes within the budget prove.
    pub(in crate::classifier) largest_possible_radius: f64,
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
///
/// # Errors
/// Returns the errors of the mathematics. The same votes were certified before, so none is
/// expected.
pub(in crate::classifier) fn prediction_from_votes(
    counts: &VoteCounts,
    class: usize,
    plan: &SmoothingPlan,
    proven: &SmoothedRadius,
    context: &CertificateContext,
    spec: &InputSpec,
    stop_reason: StopReason,
) -> Result<RobustPrediction, ClassifierError> {
    let prospects = Prospects {
        plan,
        tally: counts.estimation_tally(class),
        vote_budget: context.vote_budget,
        snapping_loss: context.snapping_loss,
    };
    let tally = prospects.tally;
    let certificate = Certificate {
        status: CertificateStatus::Abstained,
        radius: served_radius(proven.radius, context.snapping_loss),
        norm: Some(Norm::L2),
        method: Some(plan.radius_method.into()),
        sampling: Some(sampling(plan, tally, counts.drawn(), proven, context)),
        stop_reason,
        ..Certificate::unavailable("")
    };
    let certificate = match &context.unavailable_reason {
        Some(reason) => certificate.withdrawn(reason.clone()),
        None if certificate.radius > 0.0 => {
            complete_certificate(certificate, spec, || "the computed radius is not finite".to_owned())
        }
        None => {
            let abstention = abstention(&prospects, proven, stop_reason)?;
            complete_certificate(certificate, spec, || abstention)
        }
    };
    let certified_class = (certificate.status == CertificateStatus::Certified).then_some(class);
    Ok(RobustPrediction {
        log_probs: log_vote_shares(counts),
        certified_class,
        certificate,
    })
}

/// Returns the prediction when the votes stop before the selection votes choose a class: at the
/// deadline, or where no input can be certified.
pub(in crate::classifier) fn prediction_without_selection(
    counts: &VoteCounts,
    context: &CertificateContext,
    stop_reason: StopReason,
) -> RobustPrediction {
    let certificate = match &context.unavailable_reason {
        Some(reason) => Certificate::unavailable(reason.clone()),
        None => Certificate {
            status: CertificateStatus::Abstained,
            abstention: Some(AbstentionReason::Deadline),
            ..Certificate::unavailable(format!(
                "the deadline came after {} of {} selection votes",
                counts.drawn(),
                context.selection_votes
            ))
        },
    };
    let certificate = Certificate {
        stop_reason,
        norm: Some(Norm::L2),
        ..certificate
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
        requested_target_radius: context.requested_target_radius,
        largest_possible_radius: context.largest_possible_radius,
    }
}
