//! Noise with AVX-512: sixteen blocks of the key stream at a time.
//!
//! Lane `b` of vector `i` is word `i` of block `b`, so no value moves between lanes before the noise
//! is complete. Only the upper halves of the random words, the vectors of odd number, enter the
//! approximation. The instructions are those of AVX-512F.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps,
    _mm512_cmplt_epi32_mask, _mm512_cvtepi32_ps, _mm512_mask_blend_epi32, _mm512_min_epi32, _mm512_mul_ps,
    _mm512_or_si512, _mm512_permutex2var_epi32, _mm512_rol_epi32, _mm512_set1_epi32, _mm512_set1_ps, _mm512_srai_epi32,
    _mm512_srav_epi32, _mm512_srli_epi32, _mm512_sub_epi32, _mm512_sub_ps, _mm512_test_epi32_mask,
    _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use super::block_loops::{self, BLOCK_VALUES};
use super::stream_state::{StreamState, counters};
use super::undecided::resolve;
use crate::certificate::noise::input_grid::InputGrid;
use crate::certificate::noise::inverse_cdf::{
    FIRST_BITS, LAST_BITS, OFFSET_BITS, OFFSET_CENTRE, ONE_BITS, PIECES, PiecewiseInverseCdf, ROUNDING,
};
use crate::certificate::noise::noise_table::NoiseTable;

/// Blocks at a time: the 32-bit lanes of a register.
const BLOCKS: usize = 16;

/// Values at a time.
const VALUES: usize = BLOCK_VALUES * BLOCKS;

/// [`fill_noise`](crate::certificate::noise::fill_noise) for the stream `stream`.
#[target_feature(enable = "avx512f")]
pub(super) fn fill_noise(table: &NoiseTable, stream: &StreamState, out: &mut [i32]) {
    block_loops::fill_noise(out, |first_block| noise_of_blocks(table, stream, first_block));
}

/// [`fill_noisy_row`](crate::certificate::noise::fill_noisy_row) for the stream `stream` and
/// checked levels.
#[target_feature(enable = "avx512f")]
pub(super) fn fill_noisy_row(
    table: &NoiseTable,
    grid: &InputGrid,
    stream: &StreamState,
    levels: &[i32],
    out: &mut [f32],
) {
    block_loops::fill_noisy_row(grid, levels, out, |first_block| {
        noise_of_blocks(table, stream, first_block)
    });
}

/// The noise of the values `8 first_block..8 (first_block + 16)`.
#[target_feature(enable = "avx512f")]
fn noise_of_blocks(table: &NoiseTable, stream: &StreamState, first_block: u64) -> [i32; VALUES] {
    let state = key_stream(stream, first_block);
    let lookup = Lookup::new(table.inverse());
    let mut undecided = [0; 8];
    let mut by_word = [_mm512_set1_epi32(0); 8];
    let (pairs, _) = state.as_chunks::<2>();
    for ((noise, undecided), [_, high]) in by_word.iter_mut().zip(&mut undecided).zip(pairs) {
        (*noise, *undecided) = lookup.noise(*high);
    }
    let mut noise = in_order(by_word);
    if undecided != [0; 8] {
        resolve(
            table,
            &bytemuck::cast::<_, [[u32; BLOCKS]; 16]>(state),
            undecided,
            &mut noise,
        );
    }
    noise
}

/// The words of sixteen blocks: lane `b` of vector `i` is word `i` of block `first_block + b`.
#[target_feature(enable = "avx512f")]
fn key_stream(stream: &StreamState, first_block: u64) -> [__m512i; 16] {
    let mut initial = [_mm512_set1_epi32(0); 16];
    for (vector, word) in initial.iter_mut().zip(stream.words()) {
        *vector = _mm512_set1_epi32(word.cast_signed());
    }
    let (low, high) = counters::<BLOCKS>(first_block);
    initial[12] = bytemuck::cast(low);
    initial[13] = bytemuck::cast(high);
    let mut state = initial;
    for _ in 0..10 {
        quarter_round(&mut state, 0, 4, 8, 12);
        quarter_round(&mut state, 1, 5, 9, 13);
        quarter_round(&mut state, 2, 6, 10, 14);
        quarter_round(&mut state, 3, 7, 11, 15);
        quarter_round(&mut state, 0, 5, 10, 15);
        quarter_round(&mut state, 1, 6, 11, 12);
        quarter_round(&mut state, 2, 7, 8, 13);
        quarter_round(&mut state, 3, 4, 9, 14);
    }
    for (vector, initial) in state.iter_mut().zip(initial) {
        *vector = _mm512_add_epi32(*vector, initial);
    }
    state
}

/// The quarter round of ChaCha on sixteen blocks (RFC 8439, section 2.1).
#[inline]
#[target_feature(enable = "avx512f")]
fn quarter_round(state: &mut [__m512i; 16], a: usize, b: usize, c: usize, d: usize) {
    state[a] = _mm512_add_epi32(state[a], state[b]);
    state[d] = _mm512_rol_epi32::<16>(_mm512_xor_si512(state[d], state[a]));
    state[c] = _mm512_add_epi32(state[c], state[d]);
    state[b] = _mm512_rol_epi32::<12>(_mm512_xor_si512(state[b], state[c]));
    state[a] = _mm512_add_epi32(state[a], state[b]);
    state[d] = _mm512_rol_epi32::<8>(_mm512_xor_si512(state[d], state[a]));
    state[c] = _mm512_add_epi32(state[c], state[d]);
    state[b] = _mm512_rol_epi32::<7>(_mm512_xor_si512(state[b], state[c]));
}

/// The pieces of the inverse distribution function in registers.
struct Lookup {
    base: [__m512i; 4],
    linear: [__m512i; 4],
    quadratic: [__m512i; 4],
    cubic: [__m512i; 4],
    fraction_bits: __m512i,
    fraction_mask: __m512i,
    margin: __m512i,
    twice_margin: __m512i,
}

impl Lookup {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(pieces: &PiecewiseInverseCdf) -> Self {
        Self {
            base: bytemuck::cast(pieces.base),
            linear: bytemuck::cast(pieces.linear),
            quadratic: bytemuck::cast(pieces.quadratic),
            cubic: bytemuck::cast(pieces.cubic),
            fraction_bits: _mm512_set1_epi32(pieces.fraction_bits.cast_signed()),
            fraction_mask: _mm512_set1_epi32((1 << pieces.fraction_bits) - 1),
            margin: _mm512_set1_epi32(pieces.margin),
            twice_margin: _mm512_set1_epi32(2 * pieces.margin),
        }
    }

    /// The noise of sixteen words with the upper halves `high`, and a bit for each undecided one.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn noise(&self, high: __m512i) -> (__m512i, u32) {
        let side = _mm512_srai_epi32::<31>(high);
        let complemented = _mm512_xor_si512(high, side);
        let bits = _mm512_castps_si512(_mm512_cvtepi32_ps(complemented));
        let bits = _mm512_min_epi32(bits, _mm512_set1_epi32(LAST_BITS));
        let piece = _mm512_srli_epi32::<OFFSET_BITS>(bits);
        let digits = _mm512_and_si512(bits, _mm512_set1_epi32((1 << OFFSET_BITS) - 1));
        let offset = _mm512_castsi512_ps(_mm512_or_si512(digits, _mm512_set1_epi32(ONE_BITS)));
        let offset = _mm512_sub_ps(offset, _mm512_set1_ps(OFFSET_CENTRE));

        // The products and sums are separate instructions, as in the portable code: a fused one
        // would round differently.
        let upper_half = _mm512_test_epi32_mask(piece, _mm512_set1_epi32(PIECES as i32 / 2));
        let choose = |entries: &[__m512i; 4]| {
            let lower = _mm512_permutex2var_epi32(entries[0], piece, entries[1]);
            let upper = _mm512_permutex2var_epi32(entries[2], piece, entries[3]);
            _mm512_mask_blend_epi32(upper_half, lower, upper)
        };
        let sum = _mm512_mul_ps(offset, _mm512_castsi512_ps(choose(&self.cubic)));
        let sum = _mm512_add_ps(_mm512_castsi512_ps(choose(&self.quadratic)), sum);
        let sum = _mm512_mul_ps(offset, sum);
        let sum = _mm512_add_ps(_mm512_castsi512_ps(choose(&self.linear)), sum);
        let sum = _mm512_mul_ps(offset, sum);
        let sum = _mm512_add_ps(sum, _mm512_set1_ps(ROUNDING));
        let rounded = _mm512_add_epi32(choose(&self.base), _mm512_castps_si512(sum));

        let fraction = _mm512_and_si512(_mm512_add_epi32(rounded, self.margin), self.fraction_mask);
        let undecided = _mm512_cmplt_epi32_mask(fraction, self.twice_margin)
            | _mm512_cmplt_epi32_mask(bits, _mm512_set1_epi32(FIRST_BITS));
        let magnitude = _mm512_srav_epi32(rounded, self.fraction_bits);
        let sign = _mm512_xor_si512(side, _mm512_set1_epi32(-1));
        let noise = _mm512_sub_epi32(_mm512_xor_si512(magnitude, sign), sign);
        (noise, u32::from(undecided))
    }
}

/// The noise in the order of its coordinates. Lane `b` of vector `j` belongs to word `j` of block
/// `b`, which is coordinate `8 b + j`.
#[inline]
#[target_feature(enable = "avx512f")]
fn in_order(by_word: [__m512i; 8]) -> [i32; VALUES] {
    // Words 0..4 (or 4..8) of block 4 q + r are part q of result r.
    let transpose = |v: [__m512i; 4]| {
        let (low01, high01) = (_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
        let (low23, high23) = (_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
        bytemuck::cast::<_, [[[i32; 4]; 4]; 4]>([
            _mm512_unpacklo_epi64(low01, low23),
            _mm512_unpackhi_epi64(low01, low23),
            _mm512_unpacklo_epi64(high01, high23),
            _mm512_unpackhi_epi64(high01, high23),
        ])
    };
    let [w0, w1, w2, w3, w4, w5, w6, w7] = by_word;
    let (front, back) = (transpose([w0, w1, w2, w3]), transpose([w4, w5, w6, w7]));
    let blocks: [[[i32; 4]; 2]; BLOCKS] =
        std::array::from_fn(|block| [front[block % 4][block / 4], back[block % 4][block / 4]]);
    bytemuck::cast(blocks)
}
