//! A radius as an integer, for inputs on a grid of integer levels.

/// The largest integer N with `sqrt(N) / levels < radius`, exactly. A perturbation of integer
/// levels lies inside the radius if its squares sum to N or less.
///
/// `radius` is in the units of the float input; one unit is `levels` steps (255 for images in [0,
/// 1]). `None` if no such N exists: for a radius that is not positive or not finite, and for
/// `levels` of 0. The result saturates at `u64::MAX`, which is sound.
///
/// A float is exactly `m 2^e`, so `(radius levels)^2 = (m levels)^2 4^e` is computed in integers,
/// without any rounding.
#[must_use]
pub fn radius_sq_levels(radius: f64, levels: u32) -> Option<u64> {
    if !radius.is_finite() || radius <= 0.0 || levels == 0 {
        return None;
    }
    let bits = radius.to_bits();
    let stored = bits & ((1 << 52) - 1);
    let exponent_field = i64::try_from(bits >> 52).unwrap_or(0);
    let (mantissa, exponent) = if exponent_field == 0 {
        (stored, -1074)
    } else {
        (stored | (1 << 52), exponent_field - 1075)
    };
    // At most 53 + 32 bits.
    let root = u128::from(mantissa) * u128::from(levels);
    let square = square(root);
    // N < square 4^exponent means N <= ceil(square 4^exponent) - 1.
    Some(ceiling_less_one(square, 2 * exponent))
}

/// `root^2` as (high, low) halves of 128 bits. `root` is below 2^85.
fn square(root: u128) -> (u128, u128) {
    let mask = u128::from(u64::MAX);
    let (high, low) = (root >> 64, root & mask);
    // high < 2^21, so the middle product is below 2^86.
    let low_square = low * low;
    let middle = 2 * high * low;
    let (sum, carry) = low_square.overflowing_add(middle << 64);
    (high * high + (middle >> 64) + u128::from(carry), sum)
}

/// `ceil((high 2^128 + low) 2^shift) - 1`, at most `u64::MAX`. The number is positive.
fn ceiling_less_one((high, low): (u128, u128), shift: i64) -> u64 {
    if shift >= 0 {
        // A shift of 0 or more means a normal float: its mantissa is at least 2^52 and the square
        // at least 2^104.
        return u64::MAX;
    }
    // The ceiling minus one equals the floor of (number - 1) / 2^down: both count the whole steps
    // strictly below.
    let (low, borrow) = low.overflowing_sub(1);
    let high = high - u128::from(borrow);
    let down = shift.unsigned_abs();
    let shifted = match down {
        0..=127 => {
            let spilled = if down == 0 { 0 } else { high << (128 - down) };
            if high >> down > 0 {
                return u64::MAX;
            }
            (low >> down) | spilled
        }
        128..=255 => high >> (down - 128),
        _ => 0,
    };
    u64::try_from(shifted).unwrap_or(u64::MAX)
}
