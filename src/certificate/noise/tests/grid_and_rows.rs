//! The grid, and rows of noisy values.

use proptest::prelude::*;

use super::samples::{counting_key, noise};
use crate::certificate::noise::{InputGrid, MAX_LEVEL, NoiseError, NoiseTable, fill_noisy_row};

#[test]
fn eight_bit_pixels_equal_division_by_255() {
    let grid = InputGrid::new(0.0, 1.0, 255).unwrap();
    for pixel in 0..=255_u8 {
        let divided = f32::from(pixel) / 255.0;
        assert_eq!(
            grid.to_value(i32::from(pixel)).to_bits(),
            divided.to_bits(),
            "pixel {pixel}"
        );
        assert_eq!(grid.snap(divided), Ok((i32::from(pixel), true)), "pixel {pixel}");
    }
    assert_eq!(grid.scale(0.25), 63.75);
    assert_eq!(
        (grid.low(), grid.high(), grid.levels(), grid.step()),
        (0.0, 1.0, 255, 1.0 / 255.0)
    );
}

#[test]
fn values_between_levels_snap_to_the_nearest() {
    let grid = InputGrid::new(-2.0, 2.0, 4).unwrap();
    for (value, level, exact) in [
        (-2.0, 0, true),
        (0.0, 2, true),
        (-0.0, 2, true),
        (0.49, 2, false),
        (0.51, 3, false),
        (2.0, 4, true),
        (3.0, 5, true),
        (-4.0, -2, true),
        (0.000_000_1, 2, false),
    ] {
        assert_eq!(grid.snap(value), Ok((level, exact)), "{value}");
    }
    for value in [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        2.0 * MAX_LEVEL as f32,
    ] {
        assert!(matches!(grid.snap(value), Err(NoiseError::Value { .. })), "{value}");
    }
}

#[test]
fn invalid_grids_are_rejected() {
    for (low, high) in [
        (0.0, 0.0),
        (1.0, 0.0),
        (f64::NAN, 1.0),
        (0.0, f64::NAN),
        (f64::NEG_INFINITY, 0.0),
        (0.0, 1e31),
    ] {
        assert!(
            matches!(InputGrid::new(low, high, 10), Err(NoiseError::Bounds { .. })),
            "{low} to {high}"
        );
    }
    assert_eq!(InputGrid::new(0.0, 1.0, 0), Err(NoiseError::Levels { levels: 0 }));
    assert_eq!(
        InputGrid::new(0.0, 1.0, 65_537),
        Err(NoiseError::Levels { levels: 65_537 })
    );
    assert!(InputGrid::new(0.0, 1.0, 65_536).is_ok());
    assert!(InputGrid::new(0.0, 5e-324, 1).is_err());
    assert!(matches!(
        InputGrid::new(1e5, 1e5 + 1.0, 65_536),
        Err(NoiseError::Step { .. })
    ));
}

#[test]
fn errors_leave_the_row_unchanged_and_name_the_value() {
    let grid = InputGrid::new(0.0, 1.0, 255).unwrap();
    let table = NoiseTable::new(1.0).unwrap();
    let mut out = [9.0; 3];
    let mut fill = |levels: &[i32]| fill_noisy_row(&table, &grid, &counting_key(), 0, levels, &mut out);
    assert_eq!(fill(&[1, 2]), Err(NoiseError::Length { levels: 2, out: 3 }));
    assert_eq!(
        fill(&[1, MAX_LEVEL + 1, 3]),
        Err(NoiseError::Level {
            coordinate: 1,
            level: MAX_LEVEL + 1
        })
    );
    assert_eq!(
        fill(&[1, 2, i32::MIN]),
        Err(NoiseError::Level {
            coordinate: 2,
            level: i32::MIN
        })
    );
    assert_eq!(out, [9.0; 3]);
    let far = [MAX_LEVEL, -MAX_LEVEL, 0];
    assert_eq!(
        fill_noisy_row(&table, &grid, &counting_key(), 0, &far, &mut out),
        Ok(())
    );
}

/// On a grid of integers the value is the sum itself, so any intermediate rounding would show.
#[test]
fn the_sum_of_level_and_noise_is_exact() {
    let grid = InputGrid::new(0.0, 65_536.0, 65_536).unwrap();
    let table = NoiseTable::new(grid.scale(32_768.0)).unwrap();
    let levels: Vec<i32> = (0..20_000).map(|i| i * 65_536 / 19_999).collect();
    for vote in 0..20 {
        let drawn = noise(&table, &counting_key(), vote, levels.len());
        let mut out = vec![0.0; levels.len()];
        fill_noisy_row(&table, &grid, &counting_key(), vote, &levels, &mut out).unwrap();
        for (index, value) in out.iter().enumerate() {
            assert_eq!(
                *value as i64,
                i64::from(levels[index]) + i64::from(drawn[index]),
                "coordinate {index}"
            );
        }
        assert!(
            drawn.iter().any(|k| k.abs() > 65_536),
            "the noise goes far beyond the range"
        );
    }
}

proptest! {
    #[test]
    fn a_row_is_the_grid_applied_to_level_plus_noise(
        length in 0_usize..1700, vote: u64, bytes: [u8; 32], low in -100.0_f64..100.0, width in 1.0_f64..100.0,
    ) {
        let grid = InputGrid::new(low, low + width, 255).unwrap();
        let table = NoiseTable::new(40.0).unwrap();
        let key = crate::certificate::noise::NoiseKey::from_bytes(bytes);
        let levels: Vec<i32> = (0..length as i32).map(|i| i % 256).collect();
        let mut out = vec![0.0; length];
        fill_noisy_row(&table, &grid, &key, vote, &levels, &mut out).unwrap();
        for ((value, level), drawn) in out.iter().zip(&levels).zip(noise(&table, &key, vote, length)) {
            let level = level + drawn;
            let expected = (low + f64::from(level) * ((low + width - low) / 255.0)) as f32;
            prop_assert_eq!(value.to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn snapping_moves_a_value_by_at_most_the_snap_distance(low in -50.0_f64..50.0, width in 0.01_f64..100.0, levels in 1_u32..=65_536, part in -0.5_f64..1.5) {
        if let Ok(grid) = InputGrid::new(low, low + width, levels) {
            let value = (low + part * width) as f32;
            let (level, exact) = grid.snap(value).unwrap();
            let moved = (f64::from(value) - (low + f64::from(level) * grid.step())).abs();
            prop_assert!(moved <= grid.snap_distance() * (1.0 + 1e-7), "{} moved by {}", value, moved);
            prop_assert_eq!(exact, grid.to_value(level) == value);
            // The value of a level snaps back to that level.
            prop_assert_eq!(grid.snap(grid.to_value(level)), Ok((level, true)));
        }
    }
}
