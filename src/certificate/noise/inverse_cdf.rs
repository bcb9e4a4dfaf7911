//! The inverse distribution function as cubic pieces that fit into the first-level cache.
//!
//! The table of thresholds grows with the scale, to 2.4 MB at 16,384 levels. A search in it waits
//! for the memory. So the noise of a word comes from an approximation of `s Phi^-1(u / 2^64)` first,
//! which reads one of [`PIECES`] pieces (1 KiB in all) and no branch. The approximation rounds to
//! the exact noise unless it lies within [`PiecewiseInverseCdf::margin`] of the middle between two
//! integers. The caller searches the thresholds for those words, and for words in the outermost
//! tails.
//!
//! Exactness does not rest on the quality of the approximation. [`PiecewiseInverseCdf::new`]
//! compares the pieces with the exact thresholds and takes the margin from the largest difference.
//!
//! *Evaluation.* Let `v` be the upper half of a word, complemented for words of 2^63 or above, and
//! `w` the f32 nearest to `v`. The exponent and the first three digits of `w` choose the piece; the
//! other digits give `t` in `[-1/16, 1/16)`. The magnitude of the noise is `m = base + d(t)` with
//! `d(t) = t (c1 + t (c2 + t c3))`, in units of `2^-fraction_bits` levels.
//!
//! *Why rounding m is exact.* On a piece let `p(w)` be `m` in exact arithmetic. `new` requires that
//! p falls (its derivative is negative) and that `|d|` stays below 2^22 units. The three sums and
//! products then have an error below `5 * 2^-24 * 2^22` units, and the rounding of `d` to an
//! integer one of 1/2: together at most 2 units ([`EVALUATION_ERROR`]). `new` also finds an `e`
//! such that the computed m differs from `k + 1/2` by at most e at every threshold `T_k` on the
//! piece, and lies at most e outside the range of the answers at the two ends of the piece. Take a
//! word `u >= 2^63` on the piece with noise k, so `T_(k-1) <= u < T_k`. The map from u to w falls
//! and p falls, so `p(w(u))` is between its values at `T_(k-1)` and `T_k`, or at an end of the piece
//! where the threshold lies beyond it. Hence the computed m lies in `k ± 1/2`, widened by
//! `e + 2 * 2` units, which is the margin. If m is farther than that from every midpoint, it rounds to
//! k. A word `u < 2^63` has the noise -k with `T_(k-1) < ~u <= T_k`, because
//! `T_(-k-1) = 2^64 - 1 - T_k`; the same argument holds for `~u`. ∎

use statrs::function::erf::erfc_inv;

/// The number of pieces: eight for each octave of the tail probability, from 1/2 to 2^-9.
pub(super) const PIECES: usize = 64;

/// The bits of the smallest f32 on a piece, 2^23. Smaller ones belong to the tails, with a
/// probability of 2^-8 together.
pub(super) const FIRST_BITS: i32 = 0x4B00_0000;

/// The bits of the largest f32 on a piece, just below 2^31.
pub(super) const LAST_BITS: i32 = 0x4EFF_FFFF;

/// The digits of an f32 that belong to `t`, not to the number of the piece.
pub(super) const OFFSET_BITS: u32 = 20;

/// The bits of 1.0.
pub(super) const ONE_BITS: i32 = 0x3F80_0000;

/// The middle of the values that the digits of `t` take behind the bits of 1.0.
pub(super) const OFFSET_CENTRE: f32 = 1.0625;

/// 3 * 2^22: a sum with it is a whole number, rounded to nearest, in the low bits.
pub(super) const ROUNDING: f32 = 12_582_912.0;

/// The largest `|t|`.
const HALF_WIDTH: f64 = 0.0625;

/// The largest `|d|` on a piece, in units, for which the sum with [`ROUNDING`] is exact.
const MAX_OFFSET: f64 = 4_194_304.0;

/// A bound on the error of the computed `base + d(t)` against exact arithmetic, in units.
const EVALUATION_ERROR: i64 = 2;

/// The most fractional bits. More do not help small scales.
const MAX_FRACTION_BITS: u32 = 22;

/// The largest share of a level that the error of an accepted piece may take: 2^-6.
const ERROR_SHARE_BITS: u32 = 6;

/// The approximation for one scale.
#[derive(Clone)]
pub(super) struct PiecewiseInverseCdf {
    /// `base`, half a level for the rounding, less the bits of [`ROUNDING`]; in units.
    pub(super) base: [i32; PIECES],
    /// The coefficients of `d`, in units.
    pub(super) linear: [f32; PIECES],
    pub(super) quadratic: [f32; PIECES],
    pub(super) cubic: [f32; PIECES],
    /// A level has `2^fraction_bits` units.
    pub(super) fraction_bits: u32,
    /// The distance from a midpoint, in units, within which the approximation decides nothing.
    pub(super) margin: i32,
}

/// A cubic polynomial in t, in levels.
#[derive(Debug, Clone, Copy)]
struct Cubic {
    constant: f64,
    linear: f64,
    quadratic: f64,
    cubic: f64,
}

impl Cubic {
    /// The polynomial through `s Phi^-1` at the four Chebyshev nodes of the piece from `start`,
    /// where one unit of t has the width `octave`.
    fn interpolate(scale: f64, start: f64, octave: f64) -> Self {
        let at = |t: f64| {
            let tail = start + (t + HALF_WIDTH) * octave + 0.5;
            scale * std::f64::consts::SQRT_2 * erfc_inv(tail * 2.0_f64.powi(-31))
        };
        let (near, far) = (0.382_683_432_365 * HALF_WIDTH, 0.923_879_532_511 * HALF_WIDTH);
        let even = |t: f64| (at(t) + at(-t)) / 2.0;
        let odd = |t: f64| (at(t) - at(-t)) / (2.0 * t);
        let squares = far * far - near * near;
        let quadratic = (even(far) - even(near)) / squares;
        let cubic = (odd(far) - odd(near)) / squares;
        Self {
            constant: even(near) - quadratic * near * near,
            linear: odd(near) - cubic * near * near,
            quadratic,
            cubic,
        }
    }

    /// A bound on `|d|`, in levels.
    fn largest_offset(&self) -> f64 {
        let (linear, quadratic, cubic) = (self.linear.abs(), self.quadratic.abs(), self.cubic.abs());
        HALF_WIDTH * (linear + HALF_WIDTH * (quadratic + HALF_WIDTH * cubic))
    }
}

impl PiecewiseInverseCdf {
    /// The pieces for `scale`, checked against `thresholds`, which are `T_-K, ..., T_(K-1)`.
    pub(super) fn new(scale: f64, thresholds: &[u64]) -> Self {
        let cubics: [Cubic; PIECES] = std::array::from_fn(|piece| {
            let (start, _) = piece_ends(piece);
            let octave = f64::from(1_u32 << start.ilog2());
            Cubic::interpolate(scale, f64::from(start), octave)
        });
        let largest = cubics.iter().map(Cubic::largest_offset).fold(0.0, f64::max);
        let fraction_bits = (1..=MAX_FRACTION_BITS)
            .rev()
            .find(|&bits| largest * f64::from(1_u32 << bits) < MAX_OFFSET * 0.99)
            .unwrap_or_default();
        let mut pieces = Self {
            base: [0; PIECES],
            linear: [0.0; PIECES],
            quadratic: [0.0; PIECES],
            cubic: [0.0; PIECES],
            fraction_bits,
            margin: 0,
        };
        for (piece, cubic) in cubics.iter().enumerate() {
            pieces.set(piece, cubic);
        }
        let errors = pieces.errors(thresholds);
        let limit = 1_i64 << fraction_bits.saturating_sub(ERROR_SHARE_BITS);
        let mut margin = 0;
        for (piece, error) in errors.into_iter().enumerate() {
            if error <= limit && pieces.falls(piece) {
                margin = margin.max(error + 2 * EVALUATION_ERROR);
            } else {
                pieces.decide_nothing(piece);
            }
        }
        // At least 1, so that a piece that decides nothing is within the margin.
        pieces.margin = i32::try_from(margin.max(1)).unwrap_or(i32::MAX);
        pieces
    }

    /// The noise of a word with the upper half `high`; `None` where the approximation decides
    /// nothing. The vector instructions of `simd` compute the same, many words at a time.
    #[cfg(test)]
    pub(super) fn noise(&self, high: u32) -> Option<i32> {
        let (bits, side) = float_bits(high);
        let rounded = self.rounded_up(bits);
        if bits < FIRST_BITS || self.is_near_midpoint(rounded) {
            return None;
        }
        let magnitude = rounded >> self.fraction_bits;
        Some((magnitude ^ !side).wrapping_sub(!side))
    }

    /// The magnitude of the noise plus half a level, in units, for the f32 with these bits.
    #[inline]
    fn rounded_up(&self, bits: i32) -> i32 {
        let piece = (bits >> OFFSET_BITS) as usize % PIECES;
        let offset = f32::from_bits((bits & ((1 << OFFSET_BITS) - 1) | ONE_BITS).cast_unsigned()) - OFFSET_CENTRE;
        let distance = offset * (self.linear[piece] + offset * (self.quadratic[piece] + offset * self.cubic[piece]));
        self.base[piece].wrapping_add((distance + ROUNDING).to_bits().cast_signed())
    }

    /// Whether a magnitude plus half a level is within the margin of an integer.
    #[cfg(test)]
    fn is_near_midpoint(&self, rounded: i32) -> bool {
        let fraction = rounded.wrapping_add(self.margin) & ((1 << self.fraction_bits) - 1);
        fraction < 2 * self.margin
    }

    /// Writes a polynomial in levels as piece `piece`.
    fn set(&mut self, piece: usize, cubic: &Cubic) {
        let unit = f64::from(1_u32 << self.fraction_bits);
        let rounded_up = ((cubic.constant + 0.5) * unit).round() as i32;
        self.base[piece] = rounded_up.wrapping_sub(ROUNDING.to_bits().cast_signed());
        self.linear[piece] = (cubic.linear * unit) as f32;
        self.quadratic[piece] = (cubic.quadratic * unit) as f32;
        self.cubic[piece] = (cubic.cubic * unit) as f32;
    }

    /// Makes every magnitude of the piece `piece` a midpoint.
    fn decide_nothing(&mut self, piece: usize) {
        self.base[piece] = 0_i32.wrapping_sub(ROUNDING.to_bits().cast_signed());
        self.linear[piece] = 0.0;
        self.quadratic[piece] = 0.0;
        self.cubic[piece] = 0.0;
    }

    /// Whether the derivative of `d` is negative on the whole piece, and `|d|` below its limit.
    fn falls(&self, piece: usize) -> bool {
        let exact = Cubic {
            constant: 0.0,
            linear: f64::from(self.linear[piece]),
            quadratic: f64::from(self.quadratic[piece]),
            cubic: f64::from(self.cubic[piece]),
        };
        let curved = 2.0 * exact.quadratic.abs() + 3.0 * HALF_WIDTH * exact.cubic.abs();
        exact.linear + HALF_WIDTH * curved < 0.0 && exact.largest_offset() < MAX_OFFSET
    }

    /// The largest difference, in units, between the magnitudes of each piece and the thresholds on
    /// it, and between its ends and the answers there.
    fn errors(&self, thresholds: &[u64]) -> [i64; PIECES] {
        let level = 1_i64 << self.fraction_bits;
        let (_, upper) = thresholds.split_at(thresholds.len() / 2);
        let noise = |word: u64| upper.partition_point(|&threshold| threshold <= word) as i64;
        let mut errors: [i64; PIECES] = std::array::from_fn(|piece| {
            let (start, end) = piece_ends(piece);
            // The piece holds the words whose `v` is `start` or `end` exactly. It may hold a few
            // more beyond them, with more extreme answers, so these answers are the stricter ones.
            let top = (noise(u64::from(!start) << 32 | 0xFFFF_FFFF) + 1) * level;
            let bottom = noise(u64::from(!end) << 32) * level;
            let above = i64::from(self.rounded_up((start as f32).to_bits().cast_signed())) - top;
            let below = bottom - i64::from(self.rounded_up((end as f32).to_bits().cast_signed()));
            above.max(below).max(0)
        });
        for (&threshold, midpoint) in upper.iter().zip(1..) {
            let (bits, _) = float_bits((threshold >> 32) as u32);
            if bits < FIRST_BITS {
                break;
            }
            let error = i64::from(self.rounded_up(bits)) - midpoint * level;
            let largest = &mut errors[(bits >> OFFSET_BITS) as usize % PIECES];
            *largest = error.abs().max(*largest);
        }
        errors
    }
}

/// The bits of w for the upper half `high` of a word, and -1 for words of 2^63 or above, 0 for
/// others.
#[inline]
pub(super) fn float_bits(high: u32) -> (i32, i32) {
    let side = high.cast_signed() >> 31;
    let complemented = high.cast_signed() ^ side;
    ((complemented as f32).to_bits().cast_signed().min(LAST_BITS), side)
}

/// The smallest and the largest f32 on the piece `piece`, which are whole numbers.
fn piece_ends(piece: usize) -> (u32, u32) {
    // The pieces are numbered by the low six of their bits, so that an evaluation subtracts nothing.
    let first = FIRST_BITS >> OFFSET_BITS;
    let number = first + (piece as i32 - first).rem_euclid(PIECES as i32);
    let start = number << OFFSET_BITS;
    let value = |bits: i32| f32::from_bits(bits.cast_unsigned()) as u32;
    (value(start), value(start + (1 << OFFSET_BITS) - 1))
}
