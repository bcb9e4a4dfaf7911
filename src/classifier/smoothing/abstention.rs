//! Explains why the votes on one input certify nothing, and what a certificate would need.

use crate::certificate::{BoundMethod, Prospects, Sides, SmoothedRadius, Tally, served_radius};
use crate::classifier::error::ClassifierError;
use crate::classifier::prediction::certificate_completion::Abstention;
use crate::domain::{AbstentionReason, StopReason};

/// Returns the reason why the votes of `prospects`, which prove `proven`, certify nothing. The text
/// begins with the reason why the votes stopped.
///
/// # Errors
/// Returns the errors of the mathematics. The same votes were certified before, so none is
/// expected.
pub(super) fn abstention(
    prospects: &Prospects<'_>,
    proven: &SmoothedRadius,
    stop_reason: StopReason,
) -> Result<Abstention, ClassifierError> {
    let Tally {
        votes, votes_for_class, ..
    } = prospects.tally;
    let loss = prospects.snapping_loss;
    if proven.radius > 0.0 {
        let radius = proven.radius;
        return Ok(Abstention {
            kind: AbstentionReason::SnappingLoss,
            text: format!("the proven radius {radius:.4} is less than the snapping loss {loss:.4} of the input grid"),
        });
    }
    let stop = stop_text(prospects, stop_reason);
    let is_fixed = matches!(prospects.plan.bound_method, BoundMethod::ClopperPearson { .. });
    if is_fixed && proven.p_lower.value() == 0.0 && votes_for_class > 0 {
        return Ok(Abstention {
            kind: AbstentionReason::Deadline,
            text: format!(
                "{stop}: a Clopper-Pearson bound holds only for the number of votes fixed beforehand; {votes} votes were drawn"
            ),
        });
    }
    let plausible = prospects.plausible_radius()?;
    if plausible <= 0.0 {
        return Ok(Abstention {
            kind: AbstentionReason::RobustModelUnsure,
            text: format!("{stop}: {}", unsure_text(prospects)?),
        });
    }
    if served_radius(plausible, loss) <= 0.0 {
        return Ok(Abstention {
            kind: AbstentionReason::SnappingLoss,
            text: format!("{stop}: the radius is at most {plausible:.4}, less than the snapping loss {loss:.4}"),
        });
    }
    let needed = prospects.expected_votes_for_a_radius()?;
    let needed_text = match needed {
        Some(needed) if needed > votes => format!("about {needed} votes in these proportions would prove a radius"),
        Some(_) => "a few more votes in these proportions would prove a radius".to_owned(),
        None => "a million votes in these proportions would prove none".to_owned(),
    };
    let kind = match (stop_reason, needed) {
        (StopReason::Deadline, _) => AbstentionReason::Deadline,
        (_, Some(_)) => AbstentionReason::TooFewVotes,
        (_, None) => AbstentionReason::RobustModelUnsure,
    };
    Ok(Abstention {
        kind,
        text: format!("{stop}: {}; {needed_text}", proven_text(prospects, proven)),
    })
}

/// Why the votes stopped.
fn stop_text(prospects: &Prospects<'_>, stop_reason: StopReason) -> String {
    let (votes, budget) = (prospects.tally.votes, prospects.vote_budget);
    match (stop_reason, prospects.plan.target_radius) {
        (StopReason::Deadline, _) => format!("the deadline came after {votes} of {budget} votes"),
        (StopReason::TargetOutOfReach, Some(target)) => {
            format!("target radius {target:.4} and every smaller one are out of reach after {votes} of {budget} votes")
        }
        _ => format!("the vote budget of {budget} is drawn"),
    }
}

/// How sure the robust network can be, and how sure it must be.
fn unsure_text(prospects: &Prospects<'_>) -> Result<String, ClassifierError> {
    let plausible = prospects.plausible_bounds()?;
    let alpha = prospects.plan.alpha;
    Ok(match prospects.plan.sides {
        Sides::OneSided => format!(
            "h is at most {:.4} sure of its class, and a certificate needs more than {:.4} at alpha = {}",
            rounded_up(plausible.p_lower.value()),
            0.5 / alpha.get(),
            alpha.get()
        ),
        Sides::TwoSided => format!(
            "h for its class exceeds h for the next class by at most {:.4}, and a certificate needs more than {:.4} at \
             alpha = {}",
            rounded_up(plausible.p_lower.value() - plausible.p_upper.value()),
            alpha.margin_needed(),
            alpha.get()
        ),
    })
}

/// What the votes prove, and what they must prove.
fn proven_text(prospects: &Prospects<'_>, proven: &SmoothedRadius) -> String {
    let alpha = prospects.plan.alpha;
    let lower = proven.p_lower.value();
    match prospects.plan.sides {
        Sides::OneSided => format!(
            "the votes prove h >= {lower:.4} for the class, and a certificate needs more than {:.4} at alpha = {}",
            0.5 / alpha.get(),
            alpha.get()
        ),
        Sides::TwoSided => format!(
            "the votes prove h >= {lower:.4} for the class and <= {:.4} for any other, and a certificate needs a \
             difference of more than {:.4} at alpha = {}",
            proven.p_upper.value(),
            alpha.margin_needed(),
            alpha.get()
        ),
    }
}

/// A probability or a difference of two, rounded up to four decimals, as the value needed is shown.
fn rounded_up(value: f64) -> f64 {
    (value * 1e4).ceil() / 1e4
}
