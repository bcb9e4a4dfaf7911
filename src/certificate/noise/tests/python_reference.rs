//! The noise against `tests/reference/noise_reference.py`, which computes table, key stream and
//! noise independently in Python.

use serde_json::Value;

use super::samples::noise;
use crate::certificate::noise::{InputGrid, NoiseKey, NoiseTable, fill_noisy_row};

fn reference() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/noise_sigma025.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn grid(reference: &Value) -> InputGrid {
    let number = |name: &str| reference[name].as_f64().unwrap();
    InputGrid::new(
        number("low"),
        number("high"),
        reference["levels"].as_u64().unwrap() as u32,
    )
    .unwrap()
}

fn table(reference: &Value) -> NoiseTable {
    let scale = grid(reference).scale(reference["sigma"].as_f64().unwrap());
    assert_eq!(Some(scale), reference["s"].as_f64());
    NoiseTable::new(scale).unwrap()
}

fn key(reference: &Value) -> NoiseKey {
    let hex = reference["key"].as_str().unwrap();
    NoiseKey::from_bytes(std::array::from_fn(|i| {
        u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()
    }))
}

#[test]
fn thresholds_match_the_python_reference() {
    let reference = reference();
    let table = table(&reference);
    assert_eq!(Some(i64::from(table.reach())), reference["K"].as_i64());
    let theirs = reference["thresholds"].as_array().unwrap();
    let theirs: Vec<u64> = theirs
        .iter()
        .map(|entry| entry.as_str().unwrap().parse().unwrap())
        .collect();
    // The reference also lists T_(-K-1) = 0 and T_K = 2^64 - 1, which the table does not store.
    let (first, last) = (theirs.first().unwrap(), theirs.last().unwrap());
    assert_eq!(
        (reference["first_k"].as_i64().unwrap(), *first, *last),
        (-i64::from(table.reach()) - 1, 0, u64::MAX)
    );
    assert_eq!(table.thresholds(), &theirs[1..theirs.len() - 1]);
}

#[test]
fn noise_values_match_the_python_reference() {
    let reference = reference();
    let (table, grid, key) = (table(&reference), grid(&reference), key(&reference));
    let votes = reference["votes"].as_array().unwrap();
    assert_eq!(votes.len(), 3);
    for vote in votes {
        let number = vote["vote"].as_u64().unwrap();
        let theirs: Vec<i32> = serde_json::from_value(vote["noise"].clone()).unwrap();
        assert_eq!(theirs.len(), 64);
        assert_eq!(noise(&table, &key, number, 64), theirs, "vote {number}");
        let mut row = vec![0.0; 64];
        fill_noisy_row(&table, &grid, &key, number, &[100; 64], &mut row).unwrap();
        for (value, noise) in row.iter().zip(&theirs) {
            assert_eq!(*value, (f64::from(100 + noise) * (1.0 / 255.0)) as f32);
        }
    }
}
