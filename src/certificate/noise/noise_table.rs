//! The table: from a uniform 64-bit word to a rounded Gaussian.

use super::error::NoiseError;
use super::thresholds::upper_half_thresholds;

/// Guide buckets for each unit of the scale: about one in six then holds a threshold near the centre.
const BUCKETS_PER_SCALE: f64 = 16.0;

/// The guide's size, in bits: 1 KiB at least, 1 MiB at most.
const GUIDE_BITS: std::ops::RangeInclusive<u32> = 8..=18;

/// The discretised Gaussian `P(N = k) = Phi((k + 1/2) / s) - Phi((k - 1/2) / s)` on -K..=K, in units of 2^-64.
///
/// `T_k = threshold_from_cdf(2^64 Phi((k + 1/2) / s))` for -K <= k < K, each floor exact; a word `u` stands for the smallest k with
/// `u < T_k`, and for K when there is none. It depends on nothing but `s`.
pub struct NoiseTable {
    scale: f64,
    reach: i32,
    /// `T_-K, ..., T_(K-1)`.
    thresholds: Box<[u64]>,
    /// For each value of the top bits, how many thresholds are at or below the bucket's first word; at the end, all.
    guide: Box<[u32]>,
    guide_shift: u32,
}

impl NoiseTable {
    /// The table for a standard deviation of `scale` levels: [`Grid::scale`](super::Grid::scale).
    ///
    /// Takes some milliseconds for a scale of 100, and most of a second for the largest: build it at load.
    ///
    /// # Errors
    /// [`NoiseError::Scale`] when `scale` is not within 0.0625..=32768 (or is NaN).
    pub fn new(scale: f64) -> Result<Self, NoiseError> {
        let upper = upper_half_thresholds(scale)?;
        // Phi(-x) = 1 - Phi(x), and 2^64 Phi is never an integer: T_(-k-1) = 2^64 - 1 - T_k.
        let lower = upper.iter().rev().map(|threshold| u64::MAX - threshold);
        let thresholds: Box<[u64]> = lower.chain(upper.iter().copied()).collect();
        // At most 297,539, for the largest scale: see the tests.
        let reach = i32::try_from(upper.len()).map_err(|_| NoiseError::Scale { scale })?;
        let guide_shift = 64 - guide_bits(scale);
        let guide = guide(&thresholds, guide_shift);
        Ok(Self {
            scale,
            reach,
            thresholds,
            guide,
            guide_shift,
        })
    }

    /// The standard deviation of the underlying Gaussian, in levels; the table is exact for this very f64.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// K, the largest noise in levels: the smallest integer with `1 - Phi((K + 1/2) / s) < 2^-64`, about 9.08 s.
    #[must_use]
    pub fn reach(&self) -> i32 {
        self.reach
    }

    /// `T_-K, ..., T_(K-1)`, for auditors: the probability of k is `(T_k - T_(k-1)) / 2^64`, with 0 and 2^64 at the ends.
    #[must_use]
    pub fn thresholds(&self) -> &[u64] {
        &self.thresholds
    }

    /// The noise, in levels, that the uniform word `word` stands for.
    #[inline]
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "an index of 595,078 at most"
    )]
    pub fn sample(&self, word: u64) -> i32 {
        let bucket = (word >> self.guide_shift) as usize;
        // Both always are there; a default keeps the function free of panics.
        let first = self.guide.get(bucket).copied().unwrap_or_default() as usize;
        let Some(&threshold) = self.thresholds.get(first) else {
            return self.reach;
        };
        // Without a branch: most buckets hold no threshold or one, and which side of it is a matter of chance.
        let count = first + usize::from(threshold <= word);
        match self.thresholds.get(count) {
            Some(&next) if next <= word => self.search(word, bucket, count),
            _ => count as i32 - self.reach,
        }
    }

    /// [`sample`](Self::sample) for the buckets of the tails, which hold many thresholds; `count` are known to be below.
    #[cold]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "an index of 595,078 at most"
    )]
    fn search(&self, word: u64, bucket: usize, count: usize) -> i32 {
        let end = self
            .guide
            .get(bucket + 1)
            .map_or(self.thresholds.len(), |&end| end as usize);
        let inside = self.thresholds.get(count..end).unwrap_or_default();
        (count + inside.partition_point(|&threshold| threshold <= word)) as i32 - self.reach
    }

    /// An upper bound on the total-variation distance of one coordinate between this table and the exact discretised
    /// Gaussian on all integers: `(K + 2) / 2^64`, not rounded.
    ///
    /// Let `e_k = Phi_k - T_k / 2^64`, in [0, 2^-64) for -K <= k < K. Twice the distance is the sum of
    /// `|table - exact|`: at each k in -K+1..=K-1 it is `|e_k - e_(k-1)| < 2^-64`; at -K it is
    /// `|Phi_(-K-1) - e_(-K)| < 2^-64`; at K it is `e_(K-1) + (1 - Phi_K) < 2 * 2^-64`; below -K and above K the table has
    /// nothing and the Gaussian `Phi_(-K-1) + (1 - Phi_K) < 2 * 2^-64`. Together below `(2K + 4) / 2^64`.
    #[must_use]
    pub fn total_variation(&self) -> f64 {
        self.total_variation_for(1)
    }

    /// An upper bound on the total-variation distance of `dimension` coordinates together: `dimension` times that of one,
    /// rounded up, and 1 at most.
    ///
    /// Coordinates are independent under both laws; there is a coupling in which one coordinate differs with the
    /// probability of its distance, so with independent couplings any of them differs with at most the sum. Hence no
    /// event, "F votes for y" among them, has probabilities that differ by more.
    #[must_use]
    pub fn total_variation_for(&self, dimension: usize) -> f64 {
        // K + 2 < 2^19 and the dimension below 2^64: exact in u128.
        let units = (u128::from(self.reach.unsigned_abs()) + 2) * dimension as u128;
        (round_up(units) * 2_f64.powi(-64)).min(1.0)
    }
}

impl std::fmt::Debug for NoiseTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NoiseTable")
            .field("scale", &self.scale)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

/// The smallest f64 that is not below `units`.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "repaired here"
)]
fn round_up(units: u128) -> f64 {
    let nearest = units as f64;
    if (nearest as u128) < units {
        nearest.next_up()
    } else {
        nearest
    }
}

/// The number of guide bits for `scale`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a logarithm, clamped to 0..=18"
)]
fn guide_bits(scale: f64) -> u32 {
    let wanted = (scale * BUCKETS_PER_SCALE).log2().ceil().max(0.0) as u32;
    wanted.clamp(*GUIDE_BITS.start(), *GUIDE_BITS.end())
}

/// How many thresholds are at or below `bucket << shift`, for each bucket.
#[expect(clippy::cast_possible_truncation, reason = "a count of 595,078 at most")]
fn guide(thresholds: &[u64], shift: u32) -> Box<[u32]> {
    let below = |bucket: u64| thresholds.partition_point(|&threshold| threshold <= bucket << shift) as u32;
    (0..1 << (64 - shift)).map(below).collect()
}
