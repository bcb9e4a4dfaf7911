//! The loops over the blocks of a row, which the instruction sets share.
//!
//! They are inlined into functions for the instructions, and so are compiled for them.

use crate::certificate::noise::input_grid::InputGrid;

/// The values of one block of the key stream: it has eight 64-bit words.
pub(super) const BLOCK_VALUES: usize = 8;

/// Fills `out` with noise. `noise_of_blocks` returns that of the blocks from a block on.
#[inline]
pub(super) fn fill_noise<const VALUES: usize>(out: &mut [i32], noise_of_blocks: impl Fn(u64) -> [i32; VALUES]) {
    for (first_block, out) in (0..).step_by(VALUES / BLOCK_VALUES).zip(out.chunks_mut(VALUES)) {
        let noise = noise_of_blocks(first_block);
        for (out, noise) in out.iter_mut().zip(&noise) {
            *out = *noise;
        }
    }
}

/// Fills `out` with the values of checked `levels` with noise. `noise_of_blocks` returns that of the
/// blocks from a block on.
#[inline]
pub(super) fn fill_noisy_row<const VALUES: usize>(
    grid: &InputGrid,
    levels: &[i32],
    out: &mut [f32],
    noise_of_blocks: impl Fn(u64) -> [i32; VALUES],
) {
    let chunks = levels.chunks(VALUES).zip(out.chunks_mut(VALUES));
    for (first_block, (levels, out)) in (0..).step_by(VALUES / BLOCK_VALUES).zip(chunks) {
        let noise = noise_of_blocks(first_block);
        for ((out, level), noise) in out.iter_mut().zip(levels).zip(&noise) {
            *out = grid.to_value(level + noise);
        }
    }
}
