//! From a CertifyRequest to an order within the operator's limits.

use super::proto::{BoundMethod, CertifyRequest};
use crate::certificate::FailureProbability;
use crate::classifier::CertificationOrder;
use crate::domain::{Bound, Violations};
use crate::settings::CertificateSettings;

/// Reads what the caller wants, or tells everything that is wrong with it.
///
/// # Errors
/// With the field of each violation, and what was expected.
pub(super) fn certify(
    request: &CertifyRequest,
    settings: &CertificateSettings,
) -> Result<CertificationOrder, Violations> {
    let mut order = CertificationOrder::certify(settings);
    let mut wrong = Violations::default();
    if let Some(target) = request.target_radius {
        wrong.check(target.is_finite() && target > 0.0, "target_radius", || {
            format!("expected a positive, finite radius in the units of the float input, found {target}")
        });
        order.target_radius = Some(target);
    }
    if let Some(votes) = request.vote_budget {
        wrong.check((1..=settings.max_votes).contains(&votes), "vote_budget", || {
            format!("expected 1 to {} votes, found {votes}", settings.max_votes)
        });
        order.vote_budget = votes;
    }
    if let Some(probability) = request.failure_probability {
        let least = settings.min_failure_probability;
        match FailureProbability::new(probability) {
            Ok(allowed) if (least..=0.5).contains(&probability) => order.failure_probability = allowed,
            _ => wrong.add(
                "failure_probability",
                format!("expected a probability from {least:e} to 0.5, found {probability}"),
            ),
        }
    }
    match BoundMethod::try_from(request.bound) {
        Ok(BoundMethod::Unspecified) => {}
        Ok(BoundMethod::Anytime) => order.bound = Bound::Anytime,
        Ok(BoundMethod::ClopperPearson) => order.bound = Bound::ClopperPearson,
        Err(_) => wrong.add(
            "bound",
            format!("expected ANYTIME or CLOPPER_PEARSON, found {}", request.bound),
        ),
    }
    wrong.into_result().map(|()| order)
}
