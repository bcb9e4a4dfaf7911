//! The tables of the documents say what the CSV files in `docs/results` say, and those are of the models that are bundled:
//! `models/evaluate/paper/report.py --check`, on this repository and on copies of it where something is amiss.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

const CHECK: &str = "models/evaluate/paper/report.py";
const DOCUMENTS: [&str; 3] = [CHECK, "docs/results.md", "models/cifar10/README.md"];

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
    for (from, extension) in [("docs/results", "csv"), ("models/cifar10", "onnx")] {
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

#[test]
fn a_number_that_was_changed_by_hand_is_found() {
    let folder = copy();
    let path = folder.path().join("docs/results.md");
    let text = fs::read_to_string(&path).unwrap();
    let row = text.lines().find(|line| line.starts_with("| smoothed-025 |")).unwrap();
    fs::write(&path, text.replacen(row, &row.replacen("0.", "0.9", 1), 1)).unwrap();
    let complaints = check(folder.path());
    assert!(complaints.contains("docs/results.md"), "{complaints}");
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
    let folder = copy();
    let path = folder.path().join("docs/results.md");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("<!-- table fig3 -->", "")).unwrap();
    let complaints = check(folder.path());
    assert!(complaints.contains("no document shows the table fig3"), "{complaints}");
}
