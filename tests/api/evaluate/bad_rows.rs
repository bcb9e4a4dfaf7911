//! A row that is no input of the models is named, skipped and counted.

use serde_json::Value;

use super::{evaluate, records};
use crate::support::Setup;

#[test]
fn bad_rows_are_named_and_the_rest_goes_on() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.8)
        .batch_size(4);
    let data = setup.file(
        "data.csv",
        b"label,a,b,c,d\n0,0,0,0,0\n1,0,nan,0,0\n9,0,0,0,0\n1,0,0,x,0\n0,0,0\n1,0.5,0.5,0.5,0.5\n0,0,0,0,1e30\n",
    );
    let output = evaluate(&setup, &data, &["--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["records"], &summary["skipped"]), (&2.into(), &5.into()));
    let reasons: Vec<String> = summary["skipped_inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skipped| {
            format!(
                "{}: {}",
                skipped["name"].as_str().unwrap(),
                skipped["reason"].as_str().unwrap()
            )
        })
        .collect();
    for (found, expected) in reasons.iter().zip([
        "data.csv#1 (line 3): value 1 is NaN",
        "data.csv#2 (line 4): label is 9",
        "data.csv#3 (line 5): column \"c\" is \"x\"",
        "data.csv#4 (line 6): has 3 fields, expected 5",
        "data.csv#6 (line 8): value 3 is",
    ]) {
        assert!(found.starts_with(expected), "{found}");
    }
    let (_, records) = records(&setup);
    let indices: Vec<u64> = records.iter().map(|record| record.index).collect();
    assert_eq!(indices, [0, 5]);
    let again = evaluate(&setup, &data, &[]);
    let message = String::from_utf8(again.stderr).unwrap();
    assert!(message.contains("results.parquet exists"), "{message}");
}

#[test]
fn a_damaged_parquet_file_is_named_and_no_panic_is_printed() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.8)
        .batch_size(4);
    let out = write_rows(&setup);
    let bytes = std::fs::read(&out).unwrap();
    std::fs::remove_file(&out).unwrap();
    for (position, damage) in [(4, 0xff), (40, 0x80), (bytes.len() / 2, 0xff), (bytes.len() - 40, 0x7f)] {
        let mut damaged = bytes.clone();
        damaged[position..position + 8].fill(damage);
        let data = setup.file("damaged.parquet", &damaged);
        let output = evaluate(&setup, &data, &["--overwrite", "--restart"]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(
            message.contains("damaged.parquet") && !message.contains("panicked"),
            "{message}"
        );
        assert!(message.lines().all(|line| line.starts_with("error: ")), "{message}");
    }
}

/// The record file of an evaluation is a Parquet file too.
fn write_rows(setup: &Setup) -> std::path::PathBuf {
    let data = setup.file("data.csv", b"label,a,b,c,d\n0,0,0,0,0\n1,0,0.5,0,0\n");
    let output = evaluate(setup, &data, &[]);
    assert!(output.status.success(), "{output:?}");
    super::output_path(setup)
}
