//! Reads the certification parameters of a request, within the operator's limits.

use super::proto::{BoundMethod, CertifyRequest, Priority as WirePriority};
use crate::certificate::{FailureProbability, MAX_TARGET_RADIUS};
use crate::classifier::CertificationParams;
use crate::domain::{BoundKind, Priority, Violations};
use crate::settings::CertificateSettings;

/// The parameters of a Predict with `priority`.
///
/// # Errors
/// The field and what was expected, if the priority is unknown.
pub(super) fn for_predict(priority: i32, settings: &CertificateSettings) -> Result<CertificationParams, Violations> {
    let mut params = CertificationParams::predict(settings);
    let mut violations = Violations::default();
    params.priority = read_priority(priority, params.priority, &mut violations);
    violations.into_result().map(|()| params)
}

/// The parameters of a Certify. `draws_votes` is true if the robust model draws votes.
///
/// # Errors
/// Each wrong field and what was expected.
pub(super) fn for_certify(
    request: &CertifyRequest,
    settings: &CertificateSettings,
    draws_votes: bool,
) -> Result<CertificationParams, Violations> {
    let mut params = CertificationParams::certify(settings);
    let mut violations = Violations::default();
    if let Some(target) = request.target_radius {
        violations.check(target > 0.0 && target <= MAX_TARGET_RADIUS, "target_radius", || {
            format!(
                "expected a positive radius of at most {MAX_TARGET_RADIUS:e} in the units of the float input, found {target:e}"
            )
        });
        params.target_radius = Some(target);
    }
    if let Some(votes) = request.vote_budget {
        violations.check((1..=settings.max_votes).contains(&votes), "vote_budget", || {
            format!("expected 1 to {} votes, found {votes}", settings.max_votes)
        });
        params.vote_budget = votes;
    }
    if let Some(probability) = request.failure_probability {
        let min = settings.min_failure_probability;
        match FailureProbability::new(probability) {
            Ok(allowed) if (min..=0.5).contains(&probability) => params.failure_probability = allowed,
            _ => violations.add(
                "failure_probability",
                format!("expected a probability from {min:e} to 0.5, found {probability}"),
            ),
        }
    }
    match BoundMethod::try_from(request.bound) {
        Ok(BoundMethod::Unspecified) => {}
        Ok(BoundMethod::Anytime) => params.bound = BoundKind::Anytime,
        Ok(BoundMethod::ClopperPearson) => params.bound = BoundKind::ClopperPearson,
        Err(_) => violations.add(
            "bound",
            format!("expected ANYTIME or CLOPPER_PEARSON, found {}", request.bound),
        ),
    }
    params.priority = read_priority(request.priority, params.priority, &mut violations);
    if params.priority == Priority::Interactive {
        check_interactive(
            draws_votes.then_some(params.vote_budget),
            settings.interactive_votes,
            &mut violations,
        );
    }
    violations.into_result().map(|()| params)
}

fn read_priority(priority: i32, default: Priority, violations: &mut Violations) -> Priority {
    match WirePriority::try_from(priority) {
        Ok(WirePriority::Unspecified) => default,
        Ok(WirePriority::Interactive) => Priority::Interactive,
        Ok(WirePriority::Bulk) => Priority::Bulk,
        Err(_) => {
            violations.add("priority", format!("expected INTERACTIVE or BULK, found {priority}"));
            default
        }
    }
}

/// Checks that an interactive Certify stays within `max_votes`, the operator's limit.
///
/// Interactive rows run before all bulk rows. An interactive Certify with a large budget would delay
/// every Predict.
fn check_interactive(vote_budget: Option<u64>, max_votes: u64, violations: &mut Violations) {
    match vote_budget {
        _ if max_votes == 0 => violations.add(
            "priority",
            "expected BULK: this server allows INTERACTIVE for Predict only (certificate.interactive_votes = 0)",
        ),
        Some(budget) if budget > max_votes => violations.add(
            "priority",
            format!(
                "expected BULK, or INTERACTIVE with a vote_budget of {max_votes} at most; the vote budget is {budget}"
            ),
        ),
        _ => {}
    }
}
