//! Reads the certification parameters of a request, within the operator's limits.

use super::proto::{BoundMethod, CertifyRequest, DataType, Priority as WirePriority};
use crate::certificate::{FailureProbability, MAX_TARGET_RADIUS};
use crate::classifier::{CertificationParams, MixedClassifier, TargetRadius};
use crate::domain::{BoundKind, Priority, ValueEncoding, Violations};

/// The parameters of a Predict with `priority`, from the defaults in `params`.
///
/// # Errors
/// The field and what was expected, if the priority is unknown.
pub(super) fn for_predict(priority: i32, mut params: CertificationParams) -> Result<CertificationParams, Violations> {
    let mut violations = Violations::default();
    params.priority = read_priority(priority, params.priority, &mut violations);
    violations.into_result().map(|()| params)
}

/// Whether a call may return the outputs of the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModelOutputsAllowed {
    /// Certify.
    Yes,
    /// CertifyStream.
    No,
}

/// The parameters of a Certify to `classifier`.
///
/// # Errors
/// Each wrong field and what was expected.
pub(super) fn for_certify(
    request: &CertifyRequest,
    classifier: &MixedClassifier,
    model_outputs: ModelOutputsAllowed,
) -> Result<CertificationParams, Violations> {
    let settings = classifier.certification();
    let mut params = CertificationParams::certify(settings);
    let mut violations = Violations::default();
    if let Some(target) = request.target_radius {
        violations.check(target > 0.0 && target <= MAX_TARGET_RADIUS, "target_radius", || {
            format!(
                "expected a positive radius of at most {MAX_TARGET_RADIUS:e} in the units of the float input, found {target:e}"
            )
        });
        params.target_radius = Some(TargetRadius::Requested(target));
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
    params.model_outputs = request.include_model_outputs;
    if request.include_model_outputs && model_outputs == ModelOutputsAllowed::No {
        violations.add(
            "include_model_outputs",
            "expected false: CertifyStream returns no outputs of the models; use Certify",
        );
    }
    if request.include_model_outputs && request.target_radius.is_some() {
        violations.add(
            "target_radius",
            "expected none with include_model_outputs, which draws the whole vote budget",
        );
    }
    params.priority = read_priority(request.priority, params.priority, &mut violations);
    if params.priority == Priority::Interactive {
        check_interactive(
            classifier.draws_votes().then_some(params.vote_budget),
            settings.interactive_votes,
            &mut violations,
        );
    }
    violations.into_result()?;
    check_target(request, &params, classifier)?;
    Ok(params)
}

/// Checks that some votes prove the target of `request`.
fn check_target(
    request: &CertifyRequest,
    params: &CertificationParams,
    classifier: &MixedClassifier,
) -> Result<(), Violations> {
    let encoding = match request.inputs.as_ref().map(|inputs| inputs.dtype()) {
        Some(DataType::Float32) => ValueEncoding::Float32,
        _ => ValueEncoding::UInt8,
    };
    let (Some(target), Some(largest)) = (request.target_radius, classifier.target_limit(params, encoding)) else {
        return Ok(());
    };
    let alpha = classifier.provenance().alpha;
    let (votes, probability) = (params.vote_budget, params.failure_probability.get());
    let limits = format!("alpha = {alpha}, a vote_budget of {votes} and a failure_probability of {probability:e}");
    let expected = if largest > 0.0 {
        format!(
            "expected at most {}, the largest radius that can be proven with {limits}",
            significant(largest)
        )
    } else {
        format!("no radius can be proven with {limits}; expected more votes")
    };
    Err(Violations::one("target_radius", format!("{expected}; found {target}")))
}

/// `radius` rounded down to four significant digits, so that the text names a radius that the check
/// accepts.
fn significant(radius: f64) -> String {
    let scale = 10.0_f64.powf(3.0 - radius.log10().floor());
    let rounded = (radius * scale).floor() / scale;
    if rounded.is_finite() {
        rounded.to_string()
    } else {
        radius.to_string()
    }
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
/// Interactive rows run before all bulk rows. An interactive Certify with a large budget would
/// delay every Predict.
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
