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
