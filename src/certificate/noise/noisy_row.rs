//! One noisy row: integer levels as input, f32 values as output.

use super::error::NoiseError;
use super::input_grid::{InputGrid, MAX_LEVEL};
use super::key::NoiseKey;
use super::noise_table::NoiseTable;
#[cfg(target_arch = "x86_64")]
use super::simd::{InstructionSet, StreamState};
use super::stream::NoiseStream;

/// Words per draw: 4 KiB on the stack, long enough that the key stream dominates.
const CHUNK: usize = 512;

/// Calls `each` with the noise of coordinates 0, 1, ... of vote `vote`, once per item in `items`.
#[inline]
fn for_each_noise<T>(
    table: &NoiseTable,
    key: &NoiseKey,
    vote: u64,
    items: impl Iterator<Item = T>,
    count: usize,
    mut each: impl FnMut(T, i32),
) {
    let mut stream = NoiseStream::new(key, vote);
    let mut bytes = [0_u8; CHUNK * 8];
    let mut items = items;
    let mut left = count;
    while left > 0 {
        let now = left.min(CHUNK);
        left -= now;
        let (used, _) = bytes.split_at_mut(now * 8);
        stream.fill_bytes(used);
        let (words, _) = used.as_chunks::<8>();
        // The words come first in the zip, so that their end consumes no item.
        for (word, item) in words.iter().zip(items.by_ref()) {
            each(item, table.sample(u64::from_le_bytes(*word)));
        }
    }
}

/// The integer noise of vote `vote` under `key`: `out[i]` is the noise of coordinate `i`, in
/// levels.
pub fn fill_noise(table: &NoiseTable, key: &NoiseKey, vote: u64, out: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(instructions) = InstructionSet::detect() {
        instructions.fill_noise(table, &StreamState::new(key, vote), out);
        return;
    }
    fill_noise_portable(table, key, vote, out);
}

/// [`fill_noise`] without vector instructions of its own.
pub(super) fn fill_noise_portable(table: &NoiseTable, key: &NoiseKey, vote: u64, out: &mut [i32]) {
    let count = out.len();
    for_each_noise(table, key, vote, out.iter_mut(), count, |out, noise| *out = noise);
}

/// The input of vote `vote` under `key`:
/// `out[i] = grid.to_value(levels[i] + noise of coordinate i)`.
///
/// The sum is exact: `|level| <= 2^23` is checked, `|noise| <= K < 2^19` holds for every table
/// ([`NoiseTable::reach`]), and so the sum is below 2^24. The rounding to f32 is the only one.
///
/// # Errors
/// [`NoiseError::Length`] if the lengths differ, [`NoiseError::Level`] for a level beyond
/// ±[`MAX_LEVEL`]. `out` is then unchanged.
pub fn fill_noisy_row(
    table: &NoiseTable,
    grid: &InputGrid,
    key: &NoiseKey,
    vote: u64,
    levels: &[i32],
    out: &mut [f32],
) -> Result<(), NoiseError> {
    check_row(levels, out)?;
    #[cfg(target_arch = "x86_64")]
    if let Some(instructions) = InstructionSet::detect() {
        instructions.fill_noisy_row(table, grid, &StreamState::new(key, vote), levels, out);
        return Ok(());
    }
    fill_noisy_row_portable(table, grid, key, vote, levels, out);
    Ok(())
}

/// [`fill_noisy_row`] for checked levels, without vector instructions of its own.
pub(super) fn fill_noisy_row_portable(
    table: &NoiseTable,
    grid: &InputGrid,
    key: &NoiseKey,
    vote: u64,
    levels: &[i32],
    out: &mut [f32],
) {
    let items = levels.iter().zip(out.iter_mut());
    for_each_noise(table, key, vote, items, levels.len(), |(level, out), noise| {
        *out = grid.to_value(level + noise);
    });
}

/// Checks that a row has as many levels as values, and no level beyond ±[`MAX_LEVEL`].
fn check_row(levels: &[i32], out: &[f32]) -> Result<(), NoiseError> {
    if levels.len() != out.len() {
        return Err(NoiseError::Length {
            levels: levels.len(),
            out: out.len(),
        });
    }
    let far = |level: &i32| level.unsigned_abs() > MAX_LEVEL.unsigned_abs();
    // Without a branch for each coordinate; only an error searches for its own.
    if !levels.iter().fold(false, |any, level| any | far(level)) {
        return Ok(());
    }
    match levels.iter().enumerate().find(|(_, level)| far(level)) {
        Some((coordinate, &level)) => Err(NoiseError::Level { coordinate, level }),
        None => Ok(()),
    }
}
