//! The words that the approximation does not decide.

use crate::certificate::noise::noise_table::NoiseTable;

/// Draws the noise of the undecided words from the thresholds.
///
/// `state[i][b]` is word `i` of block `b`. Bit `b` of `undecided[j]` marks the 64-bit word `j` of
/// block `b`, whose noise is `noise[8 b + j]`, approximately on entry.
#[inline]
pub(super) fn resolve<const LANES: usize>(
    table: &NoiseTable,
    state: &[[u32; LANES]; 16],
    undecided: [u32; 8],
    noise: &mut [i32],
) {
    let (pairs, _) = state.as_chunks::<2>();
    for (word, (lanes, [low, high])) in undecided.into_iter().zip(pairs).enumerate() {
        let mut left = lanes;
        while left != 0 {
            let lane = left.trailing_zeros() as usize;
            left &= left - 1;
            let random = u64::from(high[lane % LANES]) << 32 | u64::from(low[lane % LANES]);
            if let Some(noise) = noise.get_mut(8 * lane + word) {
                // The approximation is off by one at most, except in the tails.
                *noise = table.sample_near(random, *noise);
            }
        }
    }
}
