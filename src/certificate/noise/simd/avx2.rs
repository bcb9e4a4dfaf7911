//! Noise with AVX2: eight blocks of the key stream at a time, otherwise as in
//! [`avx512`](super::avx512).

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256, _mm256_castps_si256, _mm256_castsi256_ps,
    _mm256_cmpgt_epi32, _mm256_cvtepi32_ps, _mm256_min_epi32, _mm256_movemask_ps, _mm256_mul_ps, _mm256_or_si256,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi8, _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_srai_epi32,
    _mm256_srav_epi32, _mm256_srli_epi32, _mm256_sub_epi32, _mm256_sub_ps, _mm256_unpackhi_epi32,
    _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64, _mm256_xor_si256,
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
const BLOCKS: usize = 8;

/// Values at a time.
const VALUES: usize = BLOCK_VALUES * BLOCKS;

/// [`fill_noise`](crate::certificate::noise::fill_noise) for the stream `stream`.
#[target_feature(enable = "avx2")]
pub(super) fn fill_noise(table: &NoiseTable, stream: &StreamState, out: &mut [i32]) {
    block_loops::fill_noise(out, |first_block| noise_of_blocks(table, stream, first_block));
}

/// [`fill_noisy_row`](crate::certificate::noise::fill_noisy_row) for the stream `stream` and
/// checked levels.
#[target_feature(enable = "avx2")]
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

/// The noise of the values `8 first_block..8 (first_block + 8)`.
#[target_feature(enable = "avx2")]
fn noise_of_blocks(table: &NoiseTable, stream: &StreamState, first_block: u64) -> [i32; VALUES] {
    let state = key_stream(stream, first_block);
    let mut undecided = [0; 8];
    let mut by_word = [_mm256_set1_epi32(0); 8];
    let (pairs, _) = state.as_chunks::<2>();
    for ((noise, undecided), [_, high]) in by_word.iter_mut().zip(&mut undecided).zip(pairs) {
        (*noise, *undecided) = noise_of_words(table.inverse(), *high);
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

/// The words of eight blocks: lane `b` of vector `i` is word `i` of block `first_block + b`.
#[target_feature(enable = "avx2")]
fn key_stream(stream: &StreamState, first_block: u64) -> [__m256i; 16] {
    let mut initial = [_mm256_set1_epi32(0); 16];
    for (vector, word) in initial.iter_mut().zip(stream.words()) {
        *vector = _mm256_set1_epi32(word.cast_signed());
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
        *vector = _mm256_add_epi32(*vector, initial);
    }
    state
}

/// The quarter round of ChaCha on eight blocks (RFC 8439, section 2.1).
#[inline]
#[target_feature(enable = "avx2")]
fn quarter_round(state: &mut [__m256i; 16], a: usize, b: usize, c: usize, d: usize) {
    // A rotation by whole bytes is one shuffle.
    let by_16 = _mm256_setr_epi8(
        2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13,
    );
    let by_8 = _mm256_setr_epi8(
        3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14,
    );
    state[a] = _mm256_add_epi32(state[a], state[b]);
    state[d] = _mm256_shuffle_epi8(_mm256_xor_si256(state[d], state[a]), by_16);
    state[c] = _mm256_add_epi32(state[c], state[d]);
    state[b] = rotate::<12, 20>(_mm256_xor_si256(state[b], state[c]));
    state[a] = _mm256_add_epi32(state[a], state[b]);
    state[d] = _mm256_shuffle_epi8(_mm256_xor_si256(state[d], state[a]), by_8);
    state[c] = _mm256_add_epi32(state[c], state[d]);
    state[b] = rotate::<7, 25>(_mm256_xor_si256(state[b], state[c]));
}

/// Rotates each lane to the left by `LEFT` bits; `RIGHT` is 32 less `LEFT`.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const LEFT: i32, const RIGHT: i32>(vector: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_slli_epi32::<LEFT>(vector), _mm256_srli_epi32::<RIGHT>(vector))
}

/// The noise of eight words with the upper halves `high`, and a bit for each undecided one.
#[inline]
#[target_feature(enable = "avx2")]
fn noise_of_words(pieces: &PiecewiseInverseCdf, high: __m256i) -> (__m256i, u32) {
    let side = _mm256_srai_epi32::<31>(high);
    let complemented = _mm256_xor_si256(high, side);
    let bits = _mm256_castps_si256(_mm256_cvtepi32_ps(complemented));
    let bits = _mm256_min_epi32(bits, _mm256_set1_epi32(LAST_BITS));
    let piece: [u32; BLOCKS] = bytemuck::cast(_mm256_srli_epi32::<{ OFFSET_BITS as i32 }>(bits));
    let digits = _mm256_and_si256(bits, _mm256_set1_epi32((1 << OFFSET_BITS) - 1));
    let offset = _mm256_castsi256_ps(_mm256_or_si256(digits, _mm256_set1_epi32(ONE_BITS)));
    let offset = _mm256_sub_ps(offset, _mm256_set1_ps(OFFSET_CENTRE));

    // Eight loads are as fast as a gather, which is slow on many processors. The products and sums
    // are separate instructions, as in the portable code: a fused one would round differently.
    let choose = |entries: &[f32; PIECES]| bytemuck::cast(piece.map(|piece| entries[piece as usize % PIECES]));
    let sum = _mm256_mul_ps(offset, choose(&pieces.cubic));
    let sum = _mm256_mul_ps(offset, _mm256_add_ps(choose(&pieces.quadratic), sum));
    let sum = _mm256_mul_ps(offset, _mm256_add_ps(choose(&pieces.linear), sum));
    let sum = _mm256_add_ps(sum, _mm256_set1_ps(ROUNDING));
    let base = bytemuck::cast(piece.map(|piece| pieces.base[piece as usize % PIECES]));
    let rounded = _mm256_add_epi32(base, _mm256_castps_si256(sum));

    let fraction = _mm256_and_si256(
        _mm256_add_epi32(rounded, _mm256_set1_epi32(pieces.margin)),
        _mm256_set1_epi32((1 << pieces.fraction_bits) - 1),
    );
    let undecided = _mm256_or_si256(
        _mm256_cmpgt_epi32(_mm256_set1_epi32(2 * pieces.margin), fraction),
        _mm256_cmpgt_epi32(_mm256_set1_epi32(FIRST_BITS), bits),
    );
    let magnitude = _mm256_srav_epi32(rounded, _mm256_set1_epi32(pieces.fraction_bits.cast_signed()));
    let sign = _mm256_xor_si256(side, _mm256_set1_epi32(-1));
    let noise = _mm256_sub_epi32(_mm256_xor_si256(magnitude, sign), sign);
    (
        noise,
        _mm256_movemask_ps(_mm256_castsi256_ps(undecided)).cast_unsigned(),
    )
}

/// The noise in the order of its coordinates. Lane `b` of vector `j` belongs to word `j` of block
/// `b`, which is coordinate `8 b + j`.
#[inline]
#[target_feature(enable = "avx2")]
fn in_order(by_word: [__m256i; 8]) -> [i32; VALUES] {
    // Words 0..4 (or 4..8) of block 4 q + r are part q of result r.
    let transpose = |v: [__m256i; 4]| {
        let (low01, high01) = (_mm256_unpacklo_epi32(v[0], v[1]), _mm256_unpackhi_epi32(v[0], v[1]));
        let (low23, high23) = (_mm256_unpacklo_epi32(v[2], v[3]), _mm256_unpackhi_epi32(v[2], v[3]));
        bytemuck::cast::<_, [[[i32; 4]; 2]; 4]>([
            _mm256_unpacklo_epi64(low01, low23),
            _mm256_unpackhi_epi64(low01, low23),
            _mm256_unpacklo_epi64(high01, high23),
            _mm256_unpackhi_epi64(high01, high23),
        ])
    };
    let [w0, w1, w2, w3, w4, w5, w6, w7] = by_word;
    let (front, back) = (transpose([w0, w1, w2, w3]), transpose([w4, w5, w6, w7]));
    let blocks: [[[i32; 4]; 2]; BLOCKS] =
        std::array::from_fn(|block| [front[block % 4][block / 4], back[block % 4][block / 4]]);
    bytemuck::cast(blocks)
}
