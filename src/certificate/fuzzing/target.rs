//! Selects what one input tests.

use super::checks;
use super::inputs::Inputs;
use arbitrary::Unstructured;

/// Tests one group of formulas, which the first byte selects, with numbers from the other bytes.
pub(crate) fn certificates(data: &[u8]) {
    let mut inputs = Inputs(Unstructured::new(data));
    match inputs.between(0, 4) {
        0 => checks::lipschitz(&mut inputs),
        1 => checks::smoothed(&mut inputs),
        2 => checks::votes(&mut inputs),
        _ => checks::mixture(&mut inputs),
    }
}
