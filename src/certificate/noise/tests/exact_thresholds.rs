//! The table's entries, its reach and its distance from the Gaussian, recomputed with twice the
//! bits.

use num_bigint::{BigInt, BigUint};

use crate::certificate::noise::fixed_point::{ExactFraction, density_at_zero, pi};
use crate::certificate::noise::normal_distribution::{
    FixedPointNormal, LOCAL_BITS, LOCAL_ERROR_BITS, LocalPolynomial, SERIES_ERROR_BITS,
};
use crate::certificate::noise::thresholds::{threshold_from_cdf, threshold_with_more_bits};
use crate::certificate::noise::{MAX_GRID_LEVELS, MAX_LEVEL, MAX_SCALE, MIN_SCALE, NoiseError, NoiseTable};

use super::samples::phi;

/// Bits of the recomputation; its own error is below 2^-680.
const FINE: u32 = 768;

/// `Phi((k + 1/2) / scale)` with `FINE` bits, for k >= 0.
fn fine(scale: f64, k: u64) -> BigInt {
    FixedPointNormal::new(FINE)
        .at(&ExactFraction::new(scale).divide_half(2 * k + 1, FINE))
        .cdf
}

/// The decimal digits of `value`, `digits` of them after the point.
fn decimal(value: &BigInt, bits: u32, digits: u32) -> String {
    ((value * BigInt::from(10).pow(digits)) >> bits).to_string()
}

#[test]
fn constants_have_their_known_digits() {
    assert_eq!(
        decimal(&pi(256), 256, 50),
        "314159265358979323846264338327950288419716939937510"
    );
    assert_eq!(
        decimal(&density_at_zero(256), 256, 50),
        "39894228040143267793994605993438186847585863116493"
    );
    let difference = (density_at_zero(512) >> 256_u32) - density_at_zero(256);
    assert!(difference.magnitude() <= &BigUint::from(1_u32));
}

#[test]
fn the_series_is_within_its_proven_error() {
    for scale in [0.5, 63.75, 32768.0] {
        for x in [0.0001, 0.3, 1.0, 2.7, 4.4, 7.0, 9.0, 9.9] {
            let k = (x * scale) as u64;
            let coarse = FixedPointNormal::new(LOCAL_BITS)
                .at(&ExactFraction::new(scale).divide_half(2 * k + 1, LOCAL_BITS))
                .cdf;
            let error = (coarse << (FINE - LOCAL_BITS)) - fine(scale, k);
            let allowed = BigUint::from(1_u32) << (FINE - LOCAL_BITS + SERIES_ERROR_BITS);
            assert!(error.magnitude() < &allowed, "scale {scale}, entry {k}");
        }
    }
}

#[test]
fn the_polynomial_is_within_its_proven_error_at_its_ends() {
    let normal = FixedPointNormal::new(LOCAL_BITS);
    for (scale, reach) in [(16.0, 1), (63.75, 3), (512.0, 32), (32768.0, 32)] {
        for centre in [f64::from(reach), 1.1 * scale, 4.0 * scale, 9.0 * scale].map(|k| k as u64) {
            let exact = ExactFraction::new(scale);
            let local = LocalPolynomial::new(&normal, exact, &exact.divide_half(2 * centre + 1, LOCAL_BITS), reach);
            for offset in [-i64::from(reach), -1, 0, 1, i64::from(reach)] {
                let truth = fine(scale, centre.checked_add_signed(offset).unwrap());
                let error = (local.cdf(offset) << (FINE - LOCAL_BITS)) - truth;
                let allowed = BigUint::from(1_u32) << (FINE - LOCAL_ERROR_BITS);
                assert!(error.magnitude() < &allowed, "scale {scale}, entry {centre} + {offset}");
            }
        }
    }
}

#[test]
fn every_entry_is_the_exact_floor() {
    for scale in [0.0625, 0.5, 1.0 / 3.0, 15.999, 16.0, 63.75] {
        let table = NoiseTable::new(scale).unwrap();
        let (reach, thresholds) = (table.reach() as usize, table.thresholds());
        assert_eq!(thresholds.len(), 2 * reach);
        let one = BigInt::from(1) << FINE;
        for k in (0..reach).step_by(1 + reach / 40) {
            let cdf = fine(scale, k as u64);
            assert_eq!(
                BigInt::from(thresholds[reach + k]),
                &cdf >> (FINE - 64),
                "scale {scale}, T_{k}"
            );
            let mirrored = (&one - cdf) >> (FINE - 64);
            assert_eq!(
                BigInt::from(thresholds[reach - 1 - k]),
                mirrored,
                "scale {scale}, T_-{}",
                k + 1
            );
        }
    }
}

#[test]
fn an_undecided_threshold_needs_more_bits() {
    let bits = LOCAL_BITS;
    let integer = BigInt::from(12_345_678_901_234_567_u64) << (bits - 64);
    let (one, error) = (BigInt::from(1), BigInt::from(1000));
    assert_eq!(threshold_from_cdf(&integer, &error, bits), None);
    assert_eq!(threshold_from_cdf(&(&integer + &error - &one), &error, bits), None);
    assert_eq!(
        threshold_from_cdf(&(&integer + &error), &error, bits),
        Some(12_345_678_901_234_567)
    );
    assert_eq!(threshold_from_cdf(&(&integer - &error), &error, bits), None);
    assert_eq!(
        threshold_from_cdf(&(&integer - &error - &one), &error, bits),
        Some(12_345_678_901_234_566)
    );
    // The computation with more bits gives the table's entries.
    let table = NoiseTable::new(63.75).unwrap();
    for k in [0, 1, 63, 200, 578] {
        assert_eq!(
            threshold_with_more_bits(63.75, k),
            Ok(table.thresholds()[table.reach() as usize + k as usize]),
            "T_{k}"
        );
    }
}

#[test]
fn the_reach_is_minimal_for_a_tail_below_one_word() {
    for scale in [0.0625, 0.5, 2.55, 63.75, 127.5, 32768.0] {
        let reach = NoiseTable::new(scale).unwrap().reach() as u64;
        let word = BigInt::from(1) << (FINE - 64);
        let one = BigInt::from(1) << FINE;
        // At the smallest scale the entry K is 24 standard deviations out, beyond the range of the
        // series, and certainly in the tail.
        if (reach as f64 + 0.5) / scale < 10.0 {
            assert!(&one - fine(scale, reach) < word, "scale {scale}");
        }
        assert!(&one - fine(scale, reach - 1) >= word, "scale {scale}");
    }
}

#[test]
fn the_total_variation_bound_holds_and_is_tight() {
    for scale in [0.5, 2.55, 20.0] {
        let table = NoiseTable::new(scale).unwrap();
        let reach = table.reach() as usize;
        let one = BigInt::from(1) << FINE;
        let exact_cdf = |k: i64| match u64::try_from(k) {
            Ok(k) => fine(scale, k),
            Err(_) => &one - fine(scale, (-k - 1) as u64),
        };
        let table_cdf = |index: usize| match table.thresholds().get(index) {
            Some(&threshold) => BigInt::from(threshold) << (FINE - 64),
            None => one.clone(),
        };
        let mut before_exact = exact_cdf(-(reach as i64) - 1);
        let mut before_table = BigInt::ZERO;
        // Outside -K..=K the table has nothing, so the tails count in full.
        let mut twice = before_exact.clone() + (&one - exact_cdf(reach as i64));
        for index in 0..=2 * reach {
            let (exact, drawn) = (exact_cdf(index as i64 - reach as i64), table_cdf(index));
            twice += BigInt::from(
                ((&exact - &before_exact) - (&drawn - &before_table))
                    .magnitude()
                    .clone(),
            );
            (before_exact, before_table) = (exact, drawn);
        }
        // Half the sum, in units of 2^-64.
        let units = decimal(&twice, FINE + 1 - 64, 6).parse::<f64>().unwrap() * 1e-6;
        let bound = table.total_variation() * 2_f64.powi(64);
        assert!(
            units <= bound,
            "scale {scale}: {units} units of 2^-64 against a bound of {bound}"
        );
        assert!(
            bound <= 8.0 * units,
            "scale {scale}: {units} units of 2^-64 against a bound of {bound}"
        );
    }
}

#[test]
fn total_variation_grows_with_the_dimension_and_stops_at_one() {
    let table = NoiseTable::new(63.75).unwrap();
    assert_eq!(table.total_variation(), 581.0 * 2_f64.powi(-64));
    assert_eq!(table.total_variation_for(0), 0.0);
    assert_eq!(table.total_variation_for(3072), 3072.0 * 581.0 * 2_f64.powi(-64));
    assert_eq!(table.total_variation_for(usize::MAX), 1.0);
    // 581 * (2^53 + 1) does not fit into the 53 bits of an f64, so it must be rounded up.
    let odd = (1_usize << 53) + 1;
    assert!(table.total_variation_for(odd) * 2_f64.powi(64) >= 581.0 * 2_f64.powi(53) + 581.0);
}

#[test]
fn entries_agree_with_an_independent_error_function() {
    for scale in [0.5, 3.0, 63.75, 127.5] {
        let table = NoiseTable::new(scale).unwrap();
        for (index, &threshold) in table.thresholds().iter().enumerate() {
            let x = (index as f64 - f64::from(table.reach()) + 0.5) / scale;
            let (ours, theirs) = (threshold as f64 * 2_f64.powi(-64), phi(x));
            assert!(
                (ours - theirs).abs() <= 1e-15,
                "scale {scale}, x {x}: {ours} against {theirs}"
            );
            // In the lower tail both agree to many digits, up to one unit from the floor.
            assert!(
                (ours - theirs).abs() <= 2_f64.powi(-64) + 5e-14 * theirs,
                "scale {scale}, x {x}: relative"
            );
        }
    }
}

#[test]
fn the_widest_noise_keeps_every_sum_exact() {
    let reach = NoiseTable::new(MAX_SCALE).unwrap().reach();
    assert_eq!(reach, 297_539);
    assert!(MAX_LEVEL + reach < 1 << 24);
    let top = MAX_GRID_LEVELS as i32 + reach;
    assert!((-reach..=top).all(|sum| (sum as f32) as i32 == sum));
}

#[test]
fn scales_out_of_range_are_rejected_with_their_value() {
    for scale in [
        0.0,
        -1.0,
        0.0624,
        32768.1,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        5e-324,
    ] {
        let error = NoiseTable::new(scale).unwrap_err();
        assert!(matches!(error, NoiseError::Scale { .. }), "{scale}: {error}");
        assert!(error.to_string().contains(&scale.to_string()), "{error}");
    }
    assert!(NoiseTable::new(MIN_SCALE).is_ok());
}
