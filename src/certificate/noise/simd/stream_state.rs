//! The state of the ChaCha20 block function for one vote.

use crate::certificate::noise::key::NoiseKey;

/// The constants of ChaCha: "expand 32-byte k".
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646E, 0x7962_2D32, 0x6B20_6574];

/// The words of the state that all blocks of a vote share. Words 12 and 13 are the block counter,
/// as in `KeyStream`.
#[derive(Clone, Copy)]
pub(in crate::certificate::noise) struct StreamState {
    words: [u32; 16],
}

impl StreamState {
    /// The state of stream `vote` under `key`, with the counter 0.
    pub(in crate::certificate::noise) fn new(key: &NoiseKey, vote: u64) -> Self {
        let mut words = [0; 16];
        let (constants, rest) = words.split_at_mut(4);
        constants.copy_from_slice(&CONSTANTS);
        for (word, bytes) in rest.iter_mut().zip(key.as_bytes().as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        words[14] = vote as u32;
        words[15] = (vote >> 32) as u32;
        Self { words }
    }

    /// The shared words; 0 in place of the counter.
    #[inline]
    pub(super) fn words(&self) -> &[u32; 16] {
        &self.words
    }
}

/// The two halves of the counters of `LANES` blocks from `first_block` on.
#[inline]
pub(super) fn counters<const LANES: usize>(first_block: u64) -> ([u32; LANES], [u32; LANES]) {
    let counter = |lane: usize| first_block.wrapping_add(lane as u64);
    (
        std::array::from_fn(|lane| counter(lane) as u32),
        std::array::from_fn(|lane| (counter(lane) >> 32) as u32),
    )
}
