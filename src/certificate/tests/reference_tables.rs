//! The tables of `tests/reference/certificate`, and the comparison of a float with an exact value.

use crate::certificate::{Alpha, FailureProbability, LowerBound, Sigma, UpperBound};
use serde_json::Value;
use std::path::Path;

/// The largest relative distance from the exact value.
const CLOSE: f64 = 1e-9;

/// Below the normal range floats have lost digits, so any value there is accepted.
const SMALLEST_NORMAL: f64 = f64::MIN_POSITIVE;

pub(super) fn table(name: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/reference/certificate")
        .join(name);
    let rows: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert!(rows.len() >= 10, "{} is nearly empty", file.display());
    rows
}

pub(super) fn number(row: &Value, name: &str) -> f64 {
    float(&row[name]).unwrap_or_else(|| panic!("no number {name} in {row}"))
}

/// Floats are strings in the tables, because JSON readers, serde_json included, may round numbers.
fn float(value: &Value) -> Option<f64> {
    value.as_str()?.parse().ok()
}

pub(super) fn count(row: &Value, name: &str) -> u64 {
    row[name].as_u64().unwrap_or_else(|| panic!("no count {name} in {row}"))
}

pub(super) fn numbers(row: &Value, name: &str) -> Vec<f64> {
    row[name]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| float(v).unwrap())
        .collect()
}

pub(super) fn alpha(row: &Value) -> Alpha {
    Alpha::new(number(row, "alpha")).unwrap()
}

pub(super) fn sigma(row: &Value) -> Sigma {
    Sigma::new(number(row, "sigma")).unwrap()
}

pub(super) fn failure_probability(row: &Value) -> FailureProbability {
    FailureProbability::new(number(row, "failure_probability")).unwrap()
}

pub(super) fn lower_bound(bound: &Value) -> LowerBound {
    match float(&bound["value"]) {
        Some(value) => LowerBound::from_value(value).unwrap(),
        None => LowerBound::from_complement(number(bound, "complement")).unwrap(),
    }
}

pub(super) fn upper_bound(bound: &Value) -> UpperBound {
    match float(&bound["value"]) {
        Some(value) => UpperBound::from_value(value).unwrap(),
        None => UpperBound::from_complement(number(bound, "complement")).unwrap(),
    }
}

/// The float next to the exact value, on the given side.
fn next_to(exact: &Value, side: &str) -> f64 {
    exact[side]
        .as_str()
        .unwrap_or_else(|| panic!("no {side} in {exact}"))
        .parse()
        .unwrap()
}

/// Asserts that `got` is at or below the exact value, and close to it.
#[track_caller]
pub(super) fn assert_below(got: f64, exact: &Value, context: &str) {
    let down = next_to(exact, "down");
    assert!(got <= down, "{context}: {got:e} is above the exact {}", exact["exact"]);
    assert!(
        down - got <= CLOSE * down.abs() + SMALLEST_NORMAL,
        "{context}: {got:e} is far below the exact {}",
        exact["exact"]
    );
}

/// Asserts that `got` is at or above the exact value, and close to it.
#[track_caller]
pub(super) fn assert_above(got: f64, exact: &Value, context: &str) {
    let up = next_to(exact, "up");
    assert!(got >= up, "{context}: {got:e} is below the exact {}", exact["exact"]);
    assert!(
        got - up <= CLOSE * up.abs() + SMALLEST_NORMAL,
        "{context}: {got:e} is far above the exact {}",
        exact["exact"]
    );
}
