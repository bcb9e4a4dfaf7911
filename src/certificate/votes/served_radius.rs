//! The radius that the server reports, from the radius that the votes prove.

use crate::certificate::numerics::nan_safe::at_least;

/// The radius that remains of `proven` after all deductions. Non-decreasing in `proven`.
///
/// `snapping_loss` is the distance by which snapping to the grid may move an input. Another four
/// units in the last place come off: the noise table's scale is `levels * sigma` rounded to a
/// double, so the drawn noise has a sigma that differs by less than that. Both arguments are in the
/// units of the float input. The result is rounded down.
#[must_use]
pub fn served_radius(proven: f64, snapping_loss: f64) -> f64 {
    let rounded = proven * (1.0 - 4.0 * f64::EPSILON);
    if snapping_loss <= 0.0 {
        rounded
    } else {
        // A NaN becomes 0, which certifies nothing.
        at_least((rounded - snapping_loss).next_down(), 0.0)
    }
}

/// The radius that the votes must prove so that [`served_radius`] is at least `target`.
#[must_use]
pub fn radius_to_prove(target: f64, snapping_loss: f64) -> f64 {
    ((target + snapping_loss).next_up() * (1.0 + 16.0 * f64::EPSILON)).next_up()
}
