//! The table that turns a uniform 64-bit word into a rounded Gaussian.

use super::error::NoiseError;
#[cfg(target_arch = "x86_64")]
use super::inverse_cdf::PiecewiseInverseCdf;
use super::thresholds::upper_half_thresholds;

/// Guide buckets per unit of the scale. About one bucket in six then holds a threshold near the
/// centre.
const BUCKETS_PER_SCALE: f64 = 16.0;

/// The size of the guide table, in bits: at least 1 KiB, at most 1 MiB.
const GUIDE_BITS: std::ops::RangeInclusive<u32> = 8..=18;

/// The discretised Gaussian `P(N = k) = Phi((k + 1/2) / s) - Phi((k - 1/2) / s)` on -K..=K, in
/// units of 2^-64.
///
/// `T_k = floor(2^64 Phi((k + 1/2) / s))` for -K <= k < K, and each floor is exact. A word `u`
/// stands for the smallest k with `u < T_k`, and for K if there is none. The table depends only on
/// `s`.
pub struct NoiseTable {
    scale: f64,
    reach: i32,
    /// `T_-K, ..., T_(K-1)`.
    thresholds: Box<[u64]>,
    /// For each value of the top bits, the number of thresholds at or below the bucket's first
    /// word.
    guide: Box<[u32]>,
    guide_shift: u32,
    #[cfg(target_arch = "x86_64")]
    inverse: PiecewiseInverseCdf,
}

impl NoiseTable {
    /// The table for a standard deviation of `scale` levels: [`InputGrid::scale`](super::InputGrid::scale).
    ///
    /// This takes some milliseconds for a scale of 100, and most of a second for the largest scale.
    /// Build the table when the model is loaded.
    ///
    /// # Errors
    /// [`NoiseError::Scale`] if `scale` is not within 0.0625..=32768 (or is NaN).
    pub fn new(scale: f64) -> Result<Self, NoiseError> {
        let upper = upper_half_thresholds(scale)?;
        // Phi(-x) = 1 - Phi(x), and 2^64 Phi is never an integer: T_(-k-1) = 2^64 - 1 - T_k.
        let lower = upper.iter().rev().map(|threshold| u64::MAX - threshold);
        let thresholds: Box<[u64]> = lower.chain(upper.iter().copied()).collect();
        // At most 297,539, for the largest scale, as a test shows.
        let reach = i32::try_from(upper.len()).map_err(|_| NoiseError::Scale { scale })?;
        let guide_shift = 64 - guide_bits(scale);
        let guide = guide(&thresholds, guide_shift);
        #[cfg(target_arch = "x86_64")]
        let inverse = PiecewiseInverseCdf::new(scale, &thresholds);
        Ok(Self {
            scale,
            reach,
            thresholds,
            guide,
            guide_shift,
            #[cfg(target_arch = "x86_64")]
            inverse,
        })
    }

    /// The standard deviation of the underlying Gaussian, in levels. The table is exact for this
    /// f64.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// K, the largest noise in levels: the smallest integer with `1 - Phi((K + 1/2) / s) < 2^-64`,
    /// about 9.08 s.
    #[must_use]
    pub fn reach(&self) -> i32 {
        self.reach
    }

    /// `T_-K, ..., T_(K-1)`, for auditors. The probability of k is `(T_k - T_(k-1)) / 2^64`, with 0
    /// and 2^64 at the ends.
    #[must_use]
    pub fn thresholds(&self) -> &[u64] {
        &self.thresholds
    }

    /// The approximation that decides the noise of almost every word, for the vector instructions.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn inverse(&self) -> &PiecewiseInverseCdf {
        &self.inverse
    }

    /// The noise, in levels, for the uniform word `word`.
    #[inline]
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "an index of 595,078 at most"
    )]
    pub fn sample(&self, word: u64) -> i32 {
        let bucket = (word >> self.guide_shift) as usize;
        // The guide always has this entry; a default keeps the function free of panics.
        let first = self.guide.get(bucket).copied().unwrap_or_default() as usize;
        let Some(&threshold) = self.thresholds.get(first) else {
            return self.reach;
        };
        // Without a branch: most buckets hold no threshold or one, and the side of the word is
        // random.
        let count = first + usize::from(threshold <= word);
        match self.thresholds.get(count) {
            Some(&next) if next <= word => self.search(word, bucket, count),
            _ => count as i32 - self.reach,
        }
    }

    /// [`sample`](Self::sample) for a word whose noise is near `guess`, for any guess. A good guess
    /// reads one cache line of a large table where `sample` reads two.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn sample_near(&self, word: u64, guess: i32) -> i32 {
        let near = [guess, guess.saturating_add(1), guess.saturating_sub(1)];
        let exact = near.into_iter().find(|&noise| self.is_noise_of(word, noise));
        exact.unwrap_or_else(|| self.sample(word))
    }

    /// Whether `T_(noise-1) <= word < T_noise`, with nothing below `T_-K` and nothing above `T_(K-1)`.
    #[cfg(target_arch = "x86_64")]
    fn is_noise_of(&self, word: u64, noise: i32) -> bool {
        let Ok(index) = usize::try_from(i64::from(noise) + i64::from(self.reach)) else {
            return false;
        };
        let reaches = index
            .checked_sub(1)
            .is_none_or(|before| self.thresholds.get(before).is_some_and(|&t| t <= word));
        let stays = self
            .thresholds
            .get(index)
            .map_or(index == self.thresholds.len(), |&t| word < t);
        reaches && stays
    }

    /// [`sample`](Self::sample) for the buckets of the tails, which hold many thresholds. The first
    /// `count` thresholds are at or below the word.
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

    /// An upper bound on the total-variation distance of one coordinate between this table and the
    /// exact discretised Gaussian on all integers: `(K + 2) / 2^64`, not rounded.
    ///
    /// Let `e_k = Phi_k - T_k / 2^64`, in [0, 2^-64) for -K <= k < K. Twice the distance is the sum
    /// of `|table - exact|`:
    ///
    /// - At each k in -K+1..=K-1 it is `|e_k - e_(k-1)| < 2^-64`.
    /// - At -K it is `|Phi_(-K-1) - e_(-K)| < 2^-64`.
    /// - At K it is `e_(K-1) + (1 - Phi_K) < 2 * 2^-64`.
    /// - Below -K and above K the table has nothing, and the Gaussian has
    ///   `Phi_(-K-1) + (1 - Phi_K) < 2 * 2^-64`.
    ///
    /// The sum is below `(2K + 4) / 2^64`.
    #[must_use]
    pub fn total_variation(&self) -> f64 {
        self.total_variation_for(1)
    }

    /// An upper bound on the total-variation distance of `dimension` coordinates together:
    /// `dimension` times the distance of one, rounded up, and at most 1.
    ///
    /// Coordinates are independent under both laws. For each coordinate there is a coupling in
    /// which it differs with the probability of its distance. With independent couplings the
    /// probability that any coordinate differs is at most the sum. Hence the probabilities of any
    /// event, such as "F votes for y", differ by no more.
    #[must_use]
    pub fn total_variation_for(&self, dimension: usize) -> f64 {
        // K + 2 < 2^19 and the dimension is below 2^64: exact in u128.
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

/// The smallest f64 at or above `units`.
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

/// The number of thresholds at or below `bucket << shift`, for each bucket.
#[expect(clippy::cast_possible_truncation, reason = "a count of 595,078 at most")]
fn guide(thresholds: &[u64], shift: u32) -> Box<[u32]> {
    let below = |bucket: u64| thresholds.partition_point(|&threshold| threshold <= bucket << shift) as u32;
    (0..1 << (64 - shift)).map(below).collect()
}
