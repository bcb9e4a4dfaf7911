//! Sums of products, bounded to the last digit.
//!
//! Margins such as `alpha (h_y - h_i) - (1 - alpha)` cancel: rounded term by term, a margin near
//! zero has no correct digit left. The compensated dot product (Ogita, Rump and Oishi, "Accurate
//! sum and dot product", SIAM J. Sci. Comput. 26, 2005, Algorithm 5.3) has the accuracy of twice
//! the working precision and a proven error bound. An arbitrary-precision crate would serve too, at
//! a hundred times the cost.

use crate::certificate::numerics::nan_safe::{finite_or_infinity, finite_or_neg_infinity};

/// A bound on the error of the compensated sum per unit of `sum |a b|`, beyond the rounding of the
/// result: the paper's `gamma_n^2` with n up to 16, with room to spare.
const COMPENSATED: f64 = 1024.0 * f64::EPSILON * f64::EPSILON;

/// A number at or below `sum a_i b_i`, within one part in 2^52 of it unless the sum almost cancels.
///
/// Shapes: at most 16 pairs. The result is minus infinity, the trivial bound, if any operation
/// overflows or any number is not finite.
pub(in crate::certificate) fn dot_lower(pairs: &[(f64, f64)]) -> f64 {
    let (sum, slack) = compensated(pairs);
    finite_or_neg_infinity(if slack == 0.0 { sum } else { (sum - slack).next_down() })
}

/// A number at or above `sum a_i b_i`; infinity where [`dot_lower`] is minus infinity.
pub(in crate::certificate) fn dot_upper(pairs: &[(f64, f64)]) -> f64 {
    let (sum, slack) = compensated(pairs);
    finite_or_infinity(if slack == 0.0 { sum } else { (sum + slack).next_up() })
}

/// The compensated sum and a bound on its error. The bound is zero if every operation was exact.
fn compensated(pairs: &[(f64, f64)]) -> (f64, f64) {
    let mut sum = 0.0_f64;
    let mut low = 0.0_f64;
    let mut magnitude = 0.0_f64;
    let mut inexact = false;
    for &(a, b) in pairs {
        let product = a * b;
        let product_error = a.mul_add(b, -product);
        let next = sum + product;
        let part = next - sum;
        let sum_error = (sum - (next - part)) + (product - part);
        sum = next;
        low += product_error + sum_error;
        magnitude += product.abs();
        // A tiny product may have lost its error term to underflow. It counts as inexact unless a
        // factor is 1, -1 or 0.
        let trivial = [a, b].iter().any(|x| [0.0, 1.0, -1.0].contains(x));
        inexact |= product_error != 0.0 || sum_error != 0.0 || (!trivial && product.abs() < 1e-290);
    }
    if !inexact {
        return (sum, 0.0);
    }
    let total = sum + low;
    // The first term covers the one rounding of the last addition, the second the terms of second
    // order, the third underflow.
    let slack = total.abs() * f64::EPSILON / 2.0 + magnitude * COMPENSATED + f64::MIN_POSITIVE * f64::EPSILON * 64.0;
    (total, slack)
}
