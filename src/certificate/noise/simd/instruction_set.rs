//! The choice of the vector instructions at run time.

use super::stream_state::StreamState;
use super::{avx2, avx512};
use crate::certificate::noise::input_grid::InputGrid;
use crate::certificate::noise::noise_table::NoiseTable;

/// Instructions of this processor with which a row is filled. A value is the proof that the
/// processor has them: only [`detect`](Self::detect) and the `available` of the tests make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::certificate::noise) struct InstructionSet(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Avx512,
    Avx2,
}

#[expect(
    unsafe_code,
    reason = "a call of a function whose instructions the processor may lack is unsafe; the type proves that it has them"
)]
impl InstructionSet {
    /// The fastest instructions of this processor; `None` if only the portable code runs. The
    /// standard library remembers what the processor has, so this costs a load.
    #[inline]
    pub(in crate::certificate::noise) fn detect() -> Option<Self> {
        if is_x86_feature_detected!("avx512f") {
            return Some(Self(Kind::Avx512));
        }
        is_x86_feature_detected!("avx2").then_some(Self(Kind::Avx2))
    }

    /// Every instruction set of this processor, for tests of each of them.
    #[cfg(test)]
    pub(in crate::certificate::noise) fn available() -> Vec<Self> {
        let mut available: Vec<Self> = Self::detect().into_iter().collect();
        if is_x86_feature_detected!("avx2") && !available.contains(&Self(Kind::Avx2)) {
            available.push(Self(Kind::Avx2));
        }
        available
    }

    /// [`fill_noise`](crate::certificate::noise::fill_noise) for the stream `stream`.
    pub(in crate::certificate::noise) fn fill_noise(self, table: &NoiseTable, stream: &StreamState, out: &mut [i32]) {
        match self.0 {
            // SAFETY: `self` was made after the processor reported AVX-512F.
            Kind::Avx512 => unsafe { avx512::fill_noise(table, stream, out) },
            // SAFETY: `self` was made after the processor reported AVX2.
            Kind::Avx2 => unsafe { avx2::fill_noise(table, stream, out) },
        }
    }

    /// [`fill_noisy_row`](crate::certificate::noise::fill_noisy_row) for the stream `stream` and
    /// checked levels.
    pub(in crate::certificate::noise) fn fill_noisy_row(
        self,
        table: &NoiseTable,
        grid: &InputGrid,
        stream: &StreamState,
        levels: &[i32],
        out: &mut [f32],
    ) {
        match self.0 {
            // SAFETY: `self` was made after the processor reported AVX-512F.
            Kind::Avx512 => unsafe { avx512::fill_noisy_row(table, grid, stream, levels, out) },
            // SAFETY: `self` was made after the processor reported AVX2.
            Kind::Avx2 => unsafe { avx2::fill_noisy_row(table, grid, stream, levels, out) },
        }
    }
}
