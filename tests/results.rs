//! The tables of the documents say what the CSV files in `docs/results` say, and those are as their commands left them, of the models
//! that are bundled: `models/evaluate/paper/report.py --check`, on this repository and on copies of it where something is amiss.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

const CHECK: &str = "models/evaluate/paper/report.py";
const DOCUMENTS: [&str; 6] = [
    CHECK,
    "models/evaluate/paper/README.md",
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
        "inside_radius.csv is not as its command left it: run its command again\n\
         inside_radius_nearest.csv is of another inside_radius.csv: run its command again\n"
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
fn a_table_that_was_written_with_other_options_than_those_told_is_found() {
    let complaints = after_change(
        "docs/results/provenance.csv",
        "alone.py --norm l2",
        "alone.py --norm l2 --temperature 1",
    );
    assert_eq!(
        complaints,
        "alone.csv was written by `alone.py --norm l2 --temperature 1`, which is not in models/evaluate/paper/README.md\n"
    );
}

#[test]
fn a_table_that_lacks_a_part_is_found() {
    let folder = copy();
    let path = folder.path().join("docs/results/alone.csv");
    let text = fs::read_to_string(&path).unwrap();
    let rest: Vec<_> = text.lines().filter(|line| !line.contains(",l2,")).collect();
    fs::write(&path, rest.join("\n")).unwrap();
    let complaints = check(folder.path());
    assert!(complaints.contains("alone.csv has no rows of norm l2"), "{complaints}");
}

#[test]
fn a_table_that_is_gone_is_found() {
    let folder = copy();
    fs::remove_file(folder.path().join("docs/results/cost.csv")).unwrap();
    let complaints = check(folder.path());
    assert!(
        complaints.ends_with("cost.csv is missing: run its command\n"),
        "{complaints}"
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

/// Python that uses the module of the tables, started.
fn with_tables(script: &str, table: &Path, arguments: [String; 2]) -> std::process::Child {
    Command::new("python3")
        .args([
            "-s",
            "-B",
            "-c",
            &format!("import sys, tables, pathlib\npath = pathlib.Path(sys.argv[1])\n{script}"),
        ])
        .arg(table)
        .args(arguments)
        .env("PYTHONPATH", repository().join("models/train"))
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("python3")
}

/// Each process puts 20 rows of its own into one table, one after the other.
#[test]
fn commands_that_run_at_once_do_not_lose_rows_of_each_other() {
    const PROCESSES: usize = 4;
    const ROWS: usize = 20;
    const SCRIPT: &str = "
who = sys.argv[2]
for number in range(int(sys.argv[3])):
    row = {'who': who, 'number': number}
    tables.replace(path, [row], lambda kept: (kept['who'], kept['number']) == (float(who), number), ('model', '0'), part=who)
";
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.csv");
    let started: Vec<_> = (0..PROCESSES)
        .map(|who| with_tables(SCRIPT, &table, [who.to_string(), ROWS.to_string()]))
        .collect();
    for process in started {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let lines = |name| fs::read_to_string(folder.path().join(name)).unwrap().lines().count();
    assert_eq!(lines("table.csv"), 1 + PROCESSES * ROWS);
    assert_eq!(lines("provenance.csv"), 1 + PROCESSES + 1);
}

#[test]
fn a_part_is_not_put_into_a_table_that_was_changed_by_hand() {
    const SCRIPT: &str =
        "tables.replace(path, [{'who': sys.argv[2]}], lambda kept: False, ('model', '0'), part=sys.argv[3])";
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.csv");
    let run = |who: &str| {
        with_tables(SCRIPT, &table, [who.into(), who.into()])
            .wait_with_output()
            .unwrap()
    };
    assert!(run("one").status.success());
    fs::write(&table, "who\nsomebody\n").unwrap();
    let output = run("two");
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.contains("was changed since a command wrote it"),
        "{complaint}"
    );
    assert_eq!(fs::read_to_string(&table).unwrap(), "who\nsomebody\n");
}
