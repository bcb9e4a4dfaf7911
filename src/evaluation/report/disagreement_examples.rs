//! The inputs on which the two models have different classes.

use super::data::{Disagreement, DisagreementGroup, Disagreements};
use crate::evaluation::recompute::{Recomputation, RecomputeError};

/// The most examples of one group, so that a page with images stays small.
const MAX_EXAMPLES: usize = 24;

/// Counts the disagreements, and keeps the first ones of each kind, without images.
///
/// # Errors
/// As for [`Recomputation::answers`].
pub(super) fn disagreements_of(recomputation: &Recomputation<'_>) -> Result<Disagreements, RecomputeError> {
    let in_force = recomputation.in_force();
    let temperature = in_force.robust_temperature();
    let standard = recomputation.answers(&in_force.with_mixture(0.0, 0.0, temperature)?)?;
    let robust = recomputation.answers(&in_force.with_mixture(1.0, 1.0, temperature)?)?;
    let mut inputs = 0;
    let mut groups: Vec<DisagreementGroup> = [
        "only g is right",
        "only h is right",
        "both are wrong",
        "without a label",
    ]
    .map(|name| DisagreementGroup {
        name: name.to_owned(),
        inputs: 0,
        shown: Vec::new(),
    })
    .into();
    for ((record, standard), robust) in recomputation.records().iter().zip(&standard).zip(&robust) {
        let (Ok(standard), Ok(robust)) = (u32::try_from(standard.class), u32::try_from(robust.class)) else {
            continue;
        };
        if standard == robust {
            continue;
        }
        inputs += 1;
        let kind = match record.label {
            Some(label) if label == standard => 0,
            Some(label) if label == robust => 1,
            Some(_) => 2,
            None => 3,
        };
        let Some(group) = groups.get_mut(kind) else { continue };
        group.inputs += 1;
        if group.shown.len() < MAX_EXAMPLES {
            group.shown.push(Disagreement {
                id: record.id.clone(),
                image: None,
                label: record.label,
                standard,
                robust,
            });
        }
    }
    groups.retain(|group| group.inputs > 0);
    Ok(Disagreements { inputs, groups })
}
