//! The tables of the documents say what the CSV files in `docs/results` say, and those are as their commands left them, of the models
//! that are bundled: `models/evaluate/paper/report.py --check`, on this repository and on copies of it where something is amiss.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

const CHECK: &str = "models/evaluate/paper/report.py";
const DOCUMENTS: [&str; 5] = [
    CHECK,
    "models/evaluate/paper/report_tables.py",
    "models/evaluate/paper/paper_curves.py",
    "docs/results.md",
    "models/cifar10/README.md",
];

/// What it complains about; empty if all is well.
fn check(repository: &Path) -> String {
    let output = Command::new("python3")
        .args(["-s", "-B", CHECK, "--check"])
        .current_dir(repository)
        .output()
        .expect("python3, which the fetched packages need too");
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.success(), complaints.is_empty(), "{complaints}");
    complaints
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents, their CSV files and the models, in a folder of their own.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in DOCUMENTS {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(repository().join(name), path).unwrap();
    }
    for (from, extension) in [
        ("docs/results", "csv"),
        ("models/cifar10", "onnx"),
        ("models/cifar10", "toml"),
    ] {
        fs::create_dir_all(folder.path().join(from)).unwrap();
        for entry in fs::read_dir(repository().join(from)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|found| found == extension) {
                fs::copy(&path, folder.path().join(from).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    folder
}

#[test]
fn every_table_is_what_its_csv_file_says_and_of_the_bundled_models() {
    assert_eq!(check(repository()), "");
    assert_eq!(check(copy().path()), "");
}

/// What the check says of a copy in which one piece of one file, which must be there, reads otherwise.
fn after_change(name: &str, from: &str, to: &str) -> String {
    let folder = copy();
    let path = folder.path().join(name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    check(folder.path())
}

#[test]
fn a_number_of_a_document_that_was_changed_by_hand_is_found() {
    let complaints = after_change("docs/results.md", "| smoothed-025 | 0.25 |", "| smoothed-025 | 0.35 |");
    assert!(complaints.contains("docs/results.md"), "{complaints}");
}

#[test]
fn a_csv_file_that_was_changed_by_hand_is_found_though_the_document_agrees() {
    let name = "docs/results/inside_radius.csv"; // of whose columns the table shows a few
    let complaints = after_change(name, "any g", "none");
    assert_eq!(
        complaints,
        "inside_radius.csv is not as its command left it: run its command again\n"
    );
}

#[test]
fn a_table_of_votes_that_were_drawn_again_is_found() {
    let complaints = after_change("docs/results/votes_smoothed-025.csv", "seed=0", "seed=1");
    for table in ["certified.csv", "fig3.csv"] {
        let expected = format!("{table} is of another votes_smoothed-025.csv");
        assert!(complaints.contains(&expected), "{complaints}");
    }
}

#[test]
fn a_table_of_unknown_origin_is_found() {
    let complaints = after_change(
        "docs/results/provenance.csv",
        "\nalone.csv,l2,lipschitz.onnx",
        "\nalone.csv,l3,lipschitz.onnx",
    );
    assert_eq!(
        complaints,
        "provenance.csv does not say what all of alone.csv was computed from: run its command again\n"
    );
}

#[test]
fn results_of_a_model_that_was_trained_again_are_found() {
    let folder = copy();
    fs::write(folder.path().join("models/cifar10/standard.onnx"), b"another").unwrap();
    let complaints = check(folder.path());
    for table in ["accuracy.csv", "fig3.csv"] {
        assert!(
            complaints.contains(&format!("{table} is of another standard.onnx")),
            "{complaints}"
        );
    }
    assert!(!complaints.contains("smoothed"), "{complaints}");
}

#[test]
fn a_table_that_is_not_shown_any_more_is_found() {
    let complaints = after_change("docs/results.md", "<!-- table fig3 -->", "");
    assert!(complaints.contains("no document shows the table fig3"), "{complaints}");
}

/// Each process puts 20 rows of its own into one table, one after the other.
#[test]
fn commands_that_run_at_once_do_not_lose_rows_of_each_other() {
    const PROCESSES: usize = 4;
    const ROWS: usize = 20;
    const SCRIPT: &str = "
import sys, tables, pathlib
path, who = pathlib.Path(sys.argv[1]), float(sys.argv[2])
for number in range(int(sys.argv[3])):
    row = {'who': who, 'number': number}
    tables.replace(path, [row], lambda kept: (kept['who'], kept['number']) == (who, number))
";
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.csv");
    let started: Vec<_> = (0..PROCESSES)
        .map(|who| {
            Command::new("python3")
                .args(["-s", "-B", "-c", SCRIPT])
                .arg(&table)
                .args([who.to_string(), ROWS.to_string()])
                .env("PYTHONPATH", repository().join("models/train"))
                .spawn()
                .expect("python3")
        })
        .collect();
    for mut process in started {
        assert!(process.wait().unwrap().success());
    }
    let lines = fs::read_to_string(&table).unwrap().lines().count();
    assert_eq!(lines, 1 + PROCESSES * ROWS);
}
