//! From a request to an order within the operator's limits.

use super::proto::{BoundMethod, CertifyRequest, Priority};
use crate::certificate::{FailureProbability, MAX_TARGET_RADIUS};
use crate::classifier::CertificationParams;
use crate::domain::{self, BoundKind, Violations};
use crate::settings::CertificateSettings;

/// Reads how urgent a Predict is, or tells what is wrong with it.
///
/// # Errors
/// With the field of each violation, and what was expected.
pub(in crate::rpc) fn predict(
    priority: i32,
    settings: &CertificateSettings,
) -> Result<CertificationParams, Violations> {
    let mut order = CertificationParams::predict(settings);
    let mut wrong = Violations::default();
    order.priority = class(priority, order.priority, &mut wrong);
    wrong.into_result().map(|()| order)
}

/// Reads what the caller wants of Certify, or tells everything that is wrong with it. `votes`: whether the robust model
/// draws any.
///
/// # Errors
/// With the field of each violation, and what was expected.
pub(in crate::rpc) fn certify(
    request: &CertifyRequest,
    settings: &CertificateSettings,
    votes: bool,
) -> Result<CertificationParams, Violations> {
    let mut order = CertificationParams::certify(settings);
    let mut wrong = Violations::default();
    if let Some(target) = request.target_radius {
        wrong.check(target > 0.0 && target <= MAX_TARGET_RADIUS, "target_radius", || {
            format!(
                "expected a positive radius of at most {MAX_TARGET_RADIUS:e} in the units of the float input, found {target:e}"
            )
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
        Ok(BoundMethod::Anytime) => order.bound = BoundKind::Anytime,
        Ok(BoundMethod::ClopperPearson) => order.bound = BoundKind::ClopperPearson,
        Err(_) => wrong.add(
            "bound",
            format!("expected ANYTIME or CLOPPER_PEARSON, found {}", request.bound),
        ),
    }
    order.priority = class(request.priority, order.priority, &mut wrong);
    if order.priority == domain::Priority::Interactive {
        check_interactive(
            votes.then_some(order.vote_budget),
            settings.interactive_votes,
            &mut wrong,
        );
    }
    wrong.into_result().map(|()| order)
}

fn class(priority: i32, unspecified: domain::Priority, wrong: &mut Violations) -> domain::Priority {
    match Priority::try_from(priority) {
        Ok(Priority::Unspecified) => unspecified,
        Ok(Priority::Interactive) => domain::Priority::Interactive,
        Ok(Priority::Bulk) => domain::Priority::Bulk,
        Err(_) => {
            wrong.add("priority", format!("expected INTERACTIVE or BULK, found {priority}"));
            unspecified
        }
    }
}

/// Interactive rows run before all bulk rows, so that a Certify with a large budget among them would hold up every Predict.
fn check_interactive(budget: Option<u64>, most: u64, wrong: &mut Violations) {
    match budget {
        _ if most == 0 => wrong.add(
            "priority",
            "expected BULK: INTERACTIVE is for Predict alone here (certificate.interactive_votes = 0)",
        ),
        Some(budget) if budget > most => wrong.add(
            "priority",
            format!("expected BULK, or INTERACTIVE with a vote_budget of {most} at most; the vote budget is {budget}"),
        ),
        _ => {}
    }
}
