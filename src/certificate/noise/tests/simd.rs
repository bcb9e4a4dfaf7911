//! The vector instructions give the noise of the portable path, bit for bit.

use proptest::prelude::*;

use super::samples::counting_key;
use crate::certificate::noise::noisy_row::{fill_noise_portable, fill_noisy_row_portable};
use crate::certificate::noise::simd::{InstructionSet, StreamState};
use crate::certificate::noise::{InputGrid, MAX_SCALE, MIN_SCALE, NoiseKey, NoiseTable};

/// Compares every instruction set with the portable path on one row.
fn compare(table: &NoiseTable, key: &NoiseKey, vote: u64, length: usize) {
    let mut expected = vec![0; length];
    fill_noise_portable(table, key, vote, &mut expected);
    for instructions in InstructionSet::available() {
        let mut noise = vec![i32::MIN; length];
        instructions.fill_noise(table, &StreamState::new(key, vote), &mut noise);
        let wrong = noise
            .iter()
            .zip(&expected)
            .position(|(noise, expected)| noise != expected);
        assert_eq!(
            wrong,
            None,
            "{instructions:?}, scale {}, vote {vote}, {length} values",
            table.scale()
        );
    }
}

#[test]
fn every_instruction_set_agrees_on_every_kind_of_scale() {
    for scale in [MIN_SCALE, 0.5, 2.55, 63.75, 127.5, 1000.3, 16_383.75, MAX_SCALE] {
        let table = NoiseTable::new(scale).unwrap();
        for vote in (0..40).chain([u64::MAX, 1 << 32, 1 << 63]) {
            compare(&table, &counting_key(), vote, 3072);
        }
    }
}

#[test]
fn every_length_is_a_prefix() {
    let table = NoiseTable::new(63.75).unwrap();
    for length in (0..300).chain([511, 512, 513, 1023, 1025]) {
        compare(&table, &counting_key(), 3, length);
    }
}

/// The words around each threshold, and their mirrors: the approximation gives the noise of the
/// table or nothing, whatever the lower half of the word.
#[test]
fn the_approximation_is_exact_around_every_threshold() {
    for scale in [MIN_SCALE, 0.5, 7.3, 63.75, 1000.3, 16_383.75, MAX_SCALE] {
        let table = NoiseTable::new(scale).unwrap();
        for &threshold in table.thresholds() {
            let high = (threshold >> 32) as u32;
            for high in [high.saturating_sub(1), high, high.saturating_add(1)] {
                let Some(noise) = table.inverse().noise(high) else {
                    continue;
                };
                let ends = [u64::from(high) << 32, u64::from(high) << 32 | 0xFFFF_FFFF];
                assert_eq!(
                    ends.map(|word| table.sample(word)),
                    [noise; 2],
                    "scale {scale}, high half {high}"
                );
            }
        }
    }
}

#[test]
fn a_guess_never_changes_the_noise() {
    for scale in [MIN_SCALE, 0.5, 63.75] {
        let table = NoiseTable::new(scale).unwrap();
        let reach = table.reach();
        let ends = [0, 1, u64::MAX - 1, u64::MAX];
        for &threshold in table.thresholds().iter().chain(&ends) {
            for word in [threshold.saturating_sub(1), threshold, threshold.saturating_add(1)] {
                let noise = table.sample(word);
                let near = (noise - 3..=noise + 3).chain([-reach - 1, -reach, reach, reach + 1, i32::MIN, i32::MAX]);
                for guess in near {
                    assert_eq!(
                        table.sample_near(word, guess),
                        noise,
                        "scale {scale}, word {word}, guess {guess}"
                    );
                }
            }
        }
    }
}

/// The steps of 2^12 in the upper half visit every piece many times.
#[test]
fn the_approximation_is_exact_everywhere_and_decides_almost_every_word() {
    for scale in [MIN_SCALE, 0.5, 63.75, 16_383.75, MAX_SCALE] {
        let table = NoiseTable::new(scale).unwrap();
        let mut undecided = 0;
        for high in (0..=u32::MAX).step_by(1 << 12) {
            match table.inverse().noise(high) {
                Some(noise) => assert_eq!(table.sample(u64::from(high) << 32), noise, "scale {scale}, {high}"),
                None => undecided += 1,
            }
        }
        let share = f64::from(undecided) / f64::from(1 << 20);
        // The tails have 1/256 of the words.
        assert!(
            (0.0039..0.04).contains(&share),
            "scale {scale}: {share} of the words are undecided"
        );
    }
}

proptest! {
    #[test]
    fn random_keys_agree_on_random_grids(
        scale in 0.0625_f64..400.0, bytes: [u8; 32], vote: u64, length in 0_usize..1700,
    ) {
        compare(&NoiseTable::new(scale).unwrap(), &NoiseKey::from_bytes(bytes), vote, length);
    }

    #[test]
    fn rows_agree_in_every_bit(
        bytes: [u8; 32], vote: u64, length in 0_usize..1700, low in -100.0_f64..100.0, width in 10.0_f64..100.0,
        steps in 1_u32..2000,
    ) {
        let grid = InputGrid::new(low, low + width, steps).unwrap();
        let table = NoiseTable::new(grid.scale(width / 10.0).max(MIN_SCALE)).unwrap();
        let key = NoiseKey::from_bytes(bytes);
        let levels: Vec<i32> = (0..length as i32).map(|i| i % (steps as i32 + 1)).collect();
        let mut expected = vec![0.0; length];
        fill_noisy_row_portable(&table, &grid, &key, vote, &levels, &mut expected);
        for instructions in InstructionSet::available() {
            let mut row = vec![f32::NAN; length];
            instructions.fill_noisy_row(&table, &grid, &StreamState::new(&key, vote), &levels, &mut row);
            let same = row.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
            prop_assert!(same, "{:?}", instructions);
        }
    }
}
