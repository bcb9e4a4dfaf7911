//! The guide table finds the same value as a linear search.

use proptest::prelude::*;

use crate::certificate::noise::NoiseTable;

/// The smallest k with `word < T_k` by linear search; K if there is none.
fn plain(table: &NoiseTable, word: u64) -> i32 {
    let below = table
        .thresholds()
        .iter()
        .take_while(|&&threshold| threshold <= word)
        .count();
    below as i32 - table.reach()
}

#[test]
fn words_next_to_every_threshold_sample_correctly() {
    for scale in [0.0625, 0.5, 7.3, 63.75, 127.5] {
        let table = NoiseTable::new(scale).unwrap();
        for (index, &threshold) in table.thresholds().iter().enumerate() {
            let k = index as i32 - table.reach();
            for word in [threshold - 1, threshold, threshold.saturating_add(1)] {
                assert_eq!(
                    table.sample(word),
                    plain(&table, word),
                    "scale {scale}, word {word} near T_{k}"
                );
            }
            // At the far ends of the table neighbouring thresholds may be equal; elsewhere this is
            // the definition of T_k.
            if k.abs() < 4 * scale as i32 {
                assert_eq!(
                    (table.sample(threshold - 1), table.sample(threshold)),
                    (k, k + 1),
                    "scale {scale}, T_{k}"
                );
            }
        }
        assert_eq!(table.sample(0), -table.reach());
        assert_eq!(table.sample(u64::MAX), table.reach());
    }
}

#[test]
fn thresholds_rise_and_mirror_each_other() {
    for scale in [0.0625, 1.0, 63.75, 32768.0] {
        let table = NoiseTable::new(scale).unwrap();
        let thresholds = table.thresholds();
        // Beyond 8 standard deviations consecutive entries may differ by less than a word, so
        // neighbours can be equal.
        let strict = |index: usize| (index as f64 - f64::from(table.reach())).abs() < 8.0 * scale;
        for (index, pair) in thresholds.windows(2).enumerate() {
            assert!(
                pair[0] < pair[1] || (pair[0] == pair[1] && !strict(index)),
                "scale {scale}, index {index}"
            );
        }
        let mut mirrored = thresholds.iter().zip(thresholds.iter().rev());
        assert!(mirrored.all(|(low, high)| *low == u64::MAX - high));
        assert!(thresholds[0] >= 1, "-K can be drawn");
    }
}

#[test]
fn mirrored_words_give_mirrored_noise() {
    let table = NoiseTable::new(63.75).unwrap();
    for i in 0..100_000_u64 {
        let word = i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // u < T_k is ~u > 2^64 - 1 - T_k = T_(-k-1): the mirror of a word is its complement, except
        // for words at a threshold.
        if !table.thresholds().contains(&word) && !table.thresholds().contains(&!word) {
            assert_eq!(table.sample(word), -table.sample(!word), "word {word}");
        }
    }
}

proptest! {
    #[test]
    fn the_guide_agrees_with_a_plain_search(scale in 0.0625_f64..200.0, words in prop::collection::vec(any::<u64>(), 200)) {
        let table = NoiseTable::new(scale).unwrap();
        for word in words {
            // Words shifted into the lower tail, and their mirrors in the upper tail, are tested
            // too.
            for word in [word, word >> 20, !(word >> 20), word >> 50, !(word >> 50)] {
                prop_assert_eq!(table.sample(word), plain(&table, word), "scale {}, word {}", scale, word);
            }
        }
    }
}
