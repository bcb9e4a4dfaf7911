//! `certimix verify` and `certimix replay` recompute the mixture of records that the real client
//! prints.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::Setup;
use crate::support::messages::CLEAR_INPUT;
use crate::support::process::{self, ServerProcess};

/// Writes an array of inputs in numpy's format.
fn write_array(path: &Path, rows: &[[f32; 4]]) {
    let header = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, 4), }}",
        rows.len()
    );
    let header = format!("{header:<117}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let values: Vec<u8> = rows
        .as_flattened()
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let text = [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), &values].concat();
    fs::write(path, text).unwrap();
}

/// Serves `setup`, and returns the records that `certimix predict` prints for `rows`.
fn predicted_records(setup: &Setup, rows: &[[f32; 4]]) -> Vec<Value> {
    let server = ServerProcess::spawn(&setup.write());
    let input = setup.folder().join("input.npy");
    write_array(&input, rows);
    let address = server.address().to_string();
    let arguments = [
        "predict",
        input.to_str().unwrap(),
        "--json",
        "--components",
        "--address",
        &address,
    ];
    let output = process::run(&arguments, &[]);
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn run_on(setup: &Setup, records: &[Value], command: &str, more: &[&str]) -> Output {
    let text: String = records.iter().map(|record| format!("{record}\n")).collect();
    let path = setup.file("records.json", text.as_bytes());
    process::run(&[&[command, path.to_str().unwrap()], more].concat(), &[])
}

/// The exit code and the standard output of `certimix verify`.
fn verify(setup: &Setup, records: &[Value]) -> (Option<i32>, String) {
    let output = run_on(setup, records, "verify", &[]);
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// The records as an earlier server sent them: without the fields of a second weight.
fn earlier(records: &[Value]) -> Vec<Value> {
    let mut records = records.to_vec();
    for record in &mut records {
        record.as_object_mut().unwrap().remove("robust_weight").unwrap();
        let provenance = record["provenance"].as_object_mut().unwrap();
        provenance.remove("fallback_alpha").unwrap();
    }
    records
}

#[test]
fn the_mixture_of_a_lipschitz_model_is_verified() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.8)
        .with("mixture.fallback_alpha", 0.1);
    let records = predicted_records(&setup, &[CLEAR_INPUT, [0.1; 4]]);
    let weights: Vec<_> = records.iter().map(|record| record["robust_weight"].clone()).collect();
    assert_eq!(weights, [json!(0.8), json!(0.1)]);
    assert_eq!(records[0]["provenance"]["fallback_alpha"], 0.1);
    // The certificate of the first input is not verifiable by itself; its mixture is.
    let (code, text) = verify(&setup, &records);
    assert_eq!(code, Some(2), "{text}");
    assert_eq!(text.matches("robust_weight").count(), 2, "{text}");
    assert_eq!(text.matches("mixed_logits").count(), 2, "{text}");
    assert_eq!(verify(&setup, &records[1..]).0, Some(0));

    for (index, field, value) in [
        (0, "robust_weight", json!(0.1)),
        (1, "robust_weight", json!(0.8)),
        (1, "mixed_logits", json!([-0.5, -1.5, -2.0])),
    ] {
        let mut altered = records.clone();
        altered[index][field] = value;
        let (code, text) = verify(&setup, &altered);
        assert!(code == Some(1) && text.contains("DIFFERS"), "{field}: {text}");
    }
    let mut above = records.clone();
    above[1]["provenance"]["fallback_alpha"] = json!(0.9);
    let (code, text) = verify(&setup, &above);
    assert!(
        code == Some(1) && text.contains("provenance.fallback_alpha is 0.9, expected a number from 0 to alpha = 0.8"),
        "{text}"
    );
    // An earlier server would have mixed the second input with alpha.
    assert_eq!(verify(&setup, &earlier(&records)[1..]).0, Some(1));
}

#[test]
fn records_of_the_papers_mixture_hold_with_and_without_the_second_weight() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.8);
    let records = predicted_records(&setup, &[[0.1; 4], [-0.2, 0.9, -0.7, 1.0]]);
    for records in [&records, &earlier(&records)] {
        let (code, text) = verify(&setup, records);
        // The second input has a Lipschitz certificate.
        assert!(code == Some(2) && !text.contains("DIFFERS"), "{text}");
    }
}

#[test]
fn the_mixture_of_a_smoothed_model_is_verified_and_replayed() {
    let setup = Setup::pair("steep_g", "half_space")
        .batch_size(64)
        .with("mixture.alpha", 0.8)
        .with("mixture.fallback_alpha", 0.3)
        .with("certificate.predict_votes", 300);
    let records = predicted_records(&setup, &[[0.25; 4], [0.0; 4]]);
    let weights: Vec<_> = records.iter().map(|record| record["robust_weight"].clone()).collect();
    assert_eq!(weights, [json!(0.8), json!(0.3)]);
    for records in [&records, &earlier(&records[..1])] {
        let (code, text) = verify(&setup, records);
        assert_eq!(code, Some(0), "{text}");
    }
    let path = setup.folder().join("input.npy");
    let settings = setup.folder().join("certimix.toml");
    let more = [
        "--input",
        path.to_str().unwrap(),
        "--config",
        settings.to_str().unwrap(),
    ];
    let replayed = run_on(&setup, &records, "replay", &more);
    let text = String::from_utf8(replayed.stdout).unwrap();
    assert!(replayed.status.success() && text.contains("robust_weight"), "{text}");

    // Without components, the votes show the weight.
    let mut altered = records;
    for field in ["standard_probabilities", "robust_probabilities"] {
        altered[1][field] = json!([]);
    }
    assert_eq!(verify(&setup, &altered).0, Some(0));
    altered[1]["robust_weight"] = json!(0.8);
    assert_eq!(verify(&setup, &altered).0, Some(1));
    let replayed = run_on(&setup, &altered[1..], "replay", &more);
    assert_eq!(replayed.status.code(), Some(1), "{replayed:?}");
}
