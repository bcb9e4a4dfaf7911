//! What the records do not show.

use super::held_aside::{HeldAside, Verdict};
use super::objective::Constraint;
use crate::domain::{Basis, ModelGuarantee};
use crate::evaluation::recompute::{Recomputation, SettingSummary};
use crate::evaluation::record::EvaluationHeader;

/// The fewest inputs of a class at which its accuracy is known to about 15 points.
const MIN_CLASS_INPUTS: u64 = 30;

/// The most classes that a sentence names.
const MAX_NAMED: usize = 5;

/// One sentence for each kind of evidence that is missing. `held_aside_part` has the inputs that
/// `held_aside` is about.
pub(super) fn missing_evidence(
    header: &EvaluationHeader,
    held_aside_part: &Recomputation<'_>,
    recommended: &SettingSummary,
    in_force: &SettingSummary,
    held_aside: &HeldAside,
) -> Vec<String> {
    let mut missing = Vec::new();
    let unlabelled = recommended.inputs - recommended.labelled;
    if unlabelled > 0 {
        missing.push(format!(
            "{unlabelled} of {} inputs have no label: no accuracy counts them",
            recommended.inputs
        ));
    }
    missing.extend(undecided(held_aside));
    missing.extend(small_classes(header, held_aside_part));
    match (&header.guarantee, &header.guarantee_basis) {
        (ModelGuarantee::None, _) => {
            missing.push("nothing is proven about the robust model, so no setting certifies an answer".to_owned());
        }
        (_, Some(basis)) if basis.basis == Basis::Claimed => missing.push(format!(
            "the guarantee of the robust model is claimed, and every radius rests on it: {}",
            basis.reason
        )),
        _ => {}
    }
    if !header.caveat.is_empty() {
        missing.push(format!("every certificate has a caveat: {}", header.caveat));
    }
    if recommended.unfinished > 0 {
        missing.push(format!(
            "for {} inputs the vote rule would draw more votes than the records have: evaluate with more votes",
            recommended.unfinished
        ));
    }
    if recommended.setting.fallback_alpha() < in_force.setting.fallback_alpha() {
        missing.push(
            "the records hold no attacks: a smaller fallback_alpha leaves answers without a certificate with less of the \
             robustness of the robust model"
                .to_owned(),
        );
    }
    missing
}

/// The constraints that the inputs cannot decide, with the number of inputs that might.
fn undecided(held_aside: &HeldAside) -> impl Iterator<Item = String> {
    let open = held_aside
        .verdicts
        .iter()
        .filter(|verdict| verdict.verdict == Verdict::Undecided);
    open.map(|verdict| {
        let (name, least) = match verdict.constraint {
            Constraint::MinCleanAccuracy(least) => ("the accuracy is at least the bound", least),
            Constraint::MinCertified(least) => ("the certified share is at least the bound", least),
            Constraint::MaxP99Votes(_) => ("99 % of the answers take at most this many votes", 0.99),
        };
        let estimate = verdict.estimate;
        let gap = (estimate.share() - least).abs();
        let half_width = (estimate.interval.high - estimate.interval.low) / 2.0;
        // The width falls with the root of the number of inputs.
        #[expect(clippy::cast_precision_loss, reason = "the counts stay far below 2^53")]
        let needed = estimate.inputs as f64 * (half_width / gap).powi(2);
        if needed < 1e7 {
            format!(
                "the inputs held aside do not decide whether {name}; about {:.0} of them would, if their share stays the \
                 same",
                needed.ceil()
            )
        } else {
            format!("the inputs held aside do not decide whether {name}: the share is almost exactly the bound")
        }
    })
}

/// The classes with few inputs in the part that was held aside.
fn small_classes(header: &EvaluationHeader, part: &Recomputation<'_>) -> Option<String> {
    let mut inputs = vec![0_u64; header.labels.len()];
    for label in part.records().iter().filter_map(|record| record.label) {
        if let Some(count) = usize::try_from(label).ok().and_then(|label| inputs.get_mut(label)) {
            *count += 1;
        }
    }
    let small: Vec<&str> = inputs
        .iter()
        .zip(&header.labels)
        .filter(|&(&count, _)| count < MIN_CLASS_INPUTS)
        .map(|(_, label)| label.as_str())
        .collect();
    if small.is_empty() {
        return None;
    }
    let named = small[..small.len().min(MAX_NAMED)].join(", ");
    let more = if small.len() > MAX_NAMED { ", …" } else { "" };
    Some(format!(
        "{} of {} classes have fewer than {MIN_CLASS_INPUTS} inputs held aside, too few for a statement about one: \
         {named}{more}",
        small.len(),
        inputs.len()
    ))
}
