//! The drawn noise against its distribution. The keys are fixed, so each test always gives the same
//! result.

use super::samples::{counting_key, noise, phi};
use crate::certificate::noise::{NoiseKey, NoiseTable};

/// Draws per test: enough to detect a scale that is 2% off (see
/// `chi_square_detects_a_wrong_scale`).
const DRAWS: usize = 1 << 20;

/// The chi-square statistic of `drawn` against the rounded Gaussian of `scale`, in standard
/// deviations from its mean. Probabilities come from `libm`. Neighbouring values share a bin until
/// 50 are expected in it.
fn chi_square(drawn: &[i32], reach: i32, scale: f64) -> f64 {
    let mut counts = vec![0_u32; 2 * reach as usize + 1];
    for &k in drawn {
        counts[(k + reach) as usize] += 1;
    }
    let (mut statistic, mut bins) = (0.0, 0);
    let (mut expected, mut seen, mut left) = (0.0, 0.0, drawn.len() as f64);
    for (index, &count) in counts.iter().enumerate() {
        let k = index as f64 - f64::from(reach);
        // From the nearer end, where the difference loses no digits.
        let upper = phi(-((k - 0.5) / scale).abs().max(((k + 0.5) / scale).abs()));
        let lower = phi(-((k - 0.5) / scale).abs().min(((k + 0.5) / scale).abs()));
        let probability = if index == reach as usize {
            1.0 - 2.0 * lower
        } else {
            lower - upper
        };
        expected += probability * drawn.len() as f64;
        seen += f64::from(count);
        if expected >= 50.0 && left - expected >= 50.0 || index + 1 == counts.len() {
            statistic += (seen - expected) * (seen - expected) / expected;
            bins += 1;
            left -= expected;
            (expected, seen) = (0.0, 0.0);
        }
    }
    let freedom = f64::from(bins - 1);
    (statistic - freedom) / (2.0 * freedom).sqrt()
}

#[test]
fn chi_square_accepts_the_noise() {
    for (vote, scale) in [0.5, 2.55, 12.75, 63.75, 127.5].into_iter().enumerate() {
        let table = NoiseTable::new(scale).unwrap();
        let drawn = noise(&table, &counting_key(), vote as u64, DRAWS);
        let deviation = chi_square(&drawn, table.reach(), scale);
        assert!(
            deviation.abs() < 4.0,
            "scale {scale}: chi-square is {deviation} standard deviations off"
        );
    }
}

#[test]
fn chi_square_detects_a_wrong_scale() {
    let table = NoiseTable::new(63.75).unwrap();
    let drawn = noise(&table, &counting_key(), 0, DRAWS);
    for wrong in [63.75 * 0.98, 63.75 * 1.02] {
        assert!(
            chi_square(&drawn, table.reach(), wrong) > 8.0,
            "a scale of {wrong} passes for 63.75"
        );
    }
    let shifted: Vec<i32> = drawn.iter().map(|k| (k + 1).min(table.reach())).collect();
    assert!(
        chi_square(&shifted, table.reach(), 63.75) > 8.0,
        "a shift by one level passes"
    );
}

#[test]
fn moments_match_the_distribution() {
    for scale in [0.5, 12.75, 63.75] {
        let table = NoiseTable::new(scale).unwrap();
        let drawn = noise(&table, &counting_key(), 7, DRAWS);
        let count = DRAWS as f64;
        let mean = drawn.iter().map(|&k| f64::from(k)).sum::<f64>() / count;
        let variance = drawn.iter().map(|&k| (f64::from(k) - mean).powi(2)).sum::<f64>() / count;
        // Rounding adds 1/12 to the variance, to within e^(-2 pi^2 s^2): 1% at the smallest scale
        // here.
        let law = (-400..=400_i32)
            .map(f64::from)
            .map(|k| k * k * (phi((k + 0.5) / scale) - phi((k - 0.5) / scale)));
        let expected: f64 = law.sum();
        if scale > 10.0 {
            assert!(
                (expected - (scale * scale + 1.0 / 12.0)).abs() < 1e-6 * expected,
                "Sheppard's correction"
            );
        }
        let error = expected.sqrt() / count.sqrt();
        assert!(
            mean.abs() < 4.0 * error,
            "scale {scale}: mean {mean}, standard error {error}"
        );
        let error = expected * (2.0 / count).sqrt();
        assert!(
            (variance - expected).abs() < 4.0 * error,
            "scale {scale}: variance {variance} against {expected}"
        );
    }
}

/// The sample correlation of two sequences, times the square root of their length: standard normal
/// if uncorrelated.
fn correlation(a: &[i32], b: &[i32]) -> f64 {
    let product = |x: &[i32], y: &[i32]| x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    product(a, b) / (product(a, a) * product(b, b)).sqrt() * (a.len().min(b.len()) as f64).sqrt()
}

#[test]
fn votes_keys_and_coordinates_are_uncorrelated() {
    let table = NoiseTable::new(63.75).unwrap();
    let key = counting_key();
    let mut near = *key.as_bytes();
    near[31] ^= 1;
    let base = noise(&table, &key, 5, DRAWS);
    let squares = |drawn: &[i32]| drawn.iter().map(|k| k * k - 4064).collect::<Vec<i32>>();
    let others = [
        ("the next vote", noise(&table, &key, 6, DRAWS)),
        ("a vote one high bit away", noise(&table, &key, 5 | 1 << 63, DRAWS)),
        (
            "a key one bit away",
            noise(&table, &NoiseKey::from_bytes(near), 5, DRAWS),
        ),
        ("the next coordinate", base[1..].to_vec()),
        ("the coordinate in the next block", base[8..].to_vec()),
        ("the coordinate in the next chunk", base[512..].to_vec()),
    ];
    for (name, other) in others {
        let plain = correlation(&base, &other);
        assert!(plain.abs() < 4.5, "{name}: correlated, {plain} standard deviations");
        // 4064 is about s^2: the magnitudes must be uncorrelated too.
        let sizes = correlation(&squares(&base), &squares(&other));
        assert!(
            sizes.abs() < 4.5,
            "{name}: sizes correlated, {sizes} standard deviations"
        );
    }
    assert!(correlation(&base, &base) > 1000.0, "the test would see a repetition");
}
