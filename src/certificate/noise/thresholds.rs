//! The exact table entries `T_k = floor(2^64 Phi((k + 1/2) / scale))` for k >= 0.

use num_bigint::BigInt;

use super::error::NoiseError;
use super::fixed_point::ExactFraction;
use super::normal_distribution::{
    FixedPointNormal, LOCAL_BITS, LOCAL_ERROR_BITS, LocalPolynomial, MAX_REACH, REACH_PER_SCALE, SERIES_ERROR_BITS,
};

/// The smallest standard deviation, in levels. Below it almost every draw would be 0.
pub const MIN_SCALE: f64 = 0.0625;

/// The largest standard deviation, in levels: 2^16 levels with a sigma of half the range. Its table
/// takes about 6 MB.
pub const MAX_SCALE: f64 = 32768.0;

/// The standard deviations beyond which every entry is the last one:
/// `1 - Phi(10) < e^-50 / 2 < 2^-64`.
const MAX_DEVIATIONS: u64 = 10;

/// The precisions for an entry that [`LocalPolynomial`] cannot decide, in order.
const RETRY_BITS: [u32; 3] = [768, 1536, 3072];

/// `T_0, T_1, ..., T_(K-1)`, where K is the smallest integer with
/// `1 - Phi((K + 1/2) / scale) < 2^-64`.
///
/// The other entries follow by symmetry. The symmetry and the floors need that `2^64 Phi` is never
/// an integer: erf of an algebraic number other than 0 is transcendental. Hence some precision
/// decides every floor, and `T_K = 2^64 - 1` marks K.
///
/// # Errors
/// [`NoiseError::Scale`] outside `MIN_SCALE..=MAX_SCALE`; [`NoiseError::Undecided`], in theory.
pub(super) fn upper_half_thresholds(scale: f64) -> Result<Vec<u64>, NoiseError> {
    if !(MIN_SCALE..=MAX_SCALE).contains(&scale) {
        return Err(NoiseError::Scale { scale });
    }
    let exact = ExactFraction::new(scale);
    let normal = FixedPointNormal::new(LOCAL_BITS);
    let far = BigInt::from(MAX_DEVIATIONS) << LOCAL_BITS;
    let error = BigInt::from(1) << (LOCAL_BITS - LOCAL_ERROR_BITS);
    let reach = block_reach(scale);
    let mut entries = Vec::new();
    let mut centre = reach;
    loop {
        let x = exact.divide_half(odd_numerator(centre), LOCAL_BITS);
        if x >= far {
            return Ok(entries);
        }
        let local = LocalPolynomial::new(&normal, exact, &x, reach);
        for entry in centre - reach..=centre + reach {
            let offset = i64::from(entry) - i64::from(centre);
            let threshold = match threshold_from_cdf(&local.cdf(offset), &error, LOCAL_BITS) {
                Some(threshold) => threshold,
                None => threshold_with_more_bits(scale, entry)?,
            };
            if threshold == u64::MAX {
                return Ok(entries);
            }
            entries.push(threshold);
        }
        centre += 2 * reach + 1;
    }
}

/// `2k + 1`, the numerator of `(k + 1/2) / scale = (2k + 1) / (2 scale)`.
fn odd_numerator(entry: u32) -> u64 {
    2 * u64::from(entry) + 1
}

/// The number of entries on each side of its centre that one polynomial covers: within 1/16 of a
/// standard deviation.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "1/16 of a valid scale is 0 to 2048"
)]
fn block_reach(scale: f64) -> u32 {
    MAX_REACH.min((scale / REACH_PER_SCALE) as u32)
}

/// `floor(2^64 cdf)` for a `cdf` in [0, 1) with `bits` fractional bits and an error of at most
/// `error` ulp; `None` if the error leaves more than one integer.
pub(super) fn threshold_from_cdf(cdf: &BigInt, error: &BigInt, bits: u32) -> Option<u64> {
    let drop = bits - 64;
    let low = (cdf - error) >> drop;
    let high = (cdf + error) >> drop;
    if low == high { u64::try_from(low).ok() } else { None }
}

/// The same entry by the series at 0, with increasing precision.
pub(super) fn threshold_with_more_bits(scale: f64, entry: u32) -> Result<u64, NoiseError> {
    let error = BigInt::from(1) << SERIES_ERROR_BITS;
    let mut tried = LOCAL_BITS;
    for bits in RETRY_BITS {
        tried = bits;
        let x = ExactFraction::new(scale).divide_half(odd_numerator(entry), bits);
        if let Some(threshold) = threshold_from_cdf(&FixedPointNormal::new(bits).at(&x).cdf, &error, bits) {
            return Ok(threshold);
        }
    }
    Err(NoiseError::Undecided {
        scale,
        entry,
        bits: tried,
    })
}
