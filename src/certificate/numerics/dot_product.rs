//! Sums of products, bounded to the last digit.
//!
//! Margins such as `alpha (h_y - h_i) - (1 - alpha)` cancel: rounded term by term, a margin near zero has no
//! correct digit left. The compensated dot product (Ogita, Rump and Oishi, "Accurate sum and dot product",
//! SIAM J. Sci. Comput. 26, 2005, Algorithm 5.3) computes as if in twice the working precision and comes
//! with a proven error bound. An arbitrary-precision crate would do too, at a hundred times the cost.

use crate::certificate::numerics::nan_safe::{lower_or_nothing, upper_or_nothing};

/// The largest part of the exact error that the compensated sum can leave, per unit of `sum |a b|`: the
/// paper's `gamma_n^2` with n up to 16, and room to spare.
const COMPENSATED: f64 = 1024.0 * f64::EPSILON * f64::EPSILON;

/// A number not above `sum a_i b_i`, and within one part in 2^52 of it unless the sum all but cancels.
///
/// Shapes: at most 16 pairs. Minus infinity, which says nothing, where any operation overflows or a number is not finite.
pub(in crate::certificate) fn dot_lower(pairs: &[(f64, f64)]) -> f64 {
    let (sum, slack) = compensated(pairs);
    lower_or_nothing(if slack == 0.0 { sum } else { (sum - slack).next_down() })
}

/// A number not below `sum a_i b_i`; infinity where [`dot_lower`] is minus infinity, otherwise alike.
pub(in crate::certificate) fn dot_upper(pairs: &[(f64, f64)]) -> f64 {
    let (sum, slack) = compensated(pairs);
    upper_or_nothing(if slack == 0.0 { sum } else { (sum + slack).next_up() })
}

/// The compensated sum and a bound on its error; zero where every operation was exact.
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
        // A tiny product may have lost its error term to underflow; it counts as inexact unless a factor is 1, -1 or 0.
        let trivial = [a, b].iter().any(|x| [0.0, 1.0, -1.0].contains(x));
        inexact |= product_error != 0.0 || sum_error != 0.0 || (!trivial && product.abs() < 1e-290);
    }
    if !inexact {
        return (sum, 0.0);
    }
    let total = sum + low;
    // The last addition rounds once; the rest is of second order; the last term covers underflow.
    let slack = total.abs() * f64::EPSILON / 2.0 + magnitude * COMPENSATED + f64::MIN_POSITIVE * f64::EPSILON * 64.0;
    (total, slack)
}
