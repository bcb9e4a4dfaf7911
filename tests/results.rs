//! The tables of the documents match the CSV files in `docs/results`, and those are as their commands wrote them, for the
//! bundled models. The tests run `certimix_models evaluate report --check` on this repository and on faulty copies of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

const DOCUMENTS: [&str; 3] = [
    "docs/results.md",
    "models/docs/experiments.md",
    "models/cifar10/README.md",
];

/// The complaints of the check; empty if it passes.
fn check(repository: &Path) -> String {
    let output = Command::new("python3")
        .args(["-s", "-B", "-m", "certimix_models", "evaluate", "report", "--check"])
        .current_dir(repository)
        .env("PYTHONPATH", repository.join("models"))
        .output()
        .expect("python3, which the fetched packages need too");
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.success(), complaints.is_empty(), "{complaints}");
    complaints
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Copies the Python files of a folder and of its subfolders.
fn copy_python(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_python(&path, &target);
        } else if path.extension().is_some_and(|extension| extension == "py") {
            fs::copy(&path, target).unwrap();
        }
    }
}

/// A folder with copies of the package, the documents, their CSV files and the models.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let package = Path::new("models/certimix_models");
    copy_python(&repository().join(package), &folder.path().join(package));
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
fn every_table_matches_its_csv_file_and_the_bundled_models() {
    assert_eq!(check(repository()), "");
    assert_eq!(check(copy().path()), "");
}

/// The complaints about a copy in which one piece of one file is replaced. The file must contain the piece.
fn check_after_change(name: &str, from: &str, to: &str) -> String {
    let folder = copy();
    let path = folder.path().join(name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    check(folder.path())
}

#[test]
fn finds_a_number_that_was_changed_by_hand_in_a_document() {
    let complaints = check_after_change("docs/results.md", "| smoothed-025 | 0.25 |", "| smoothed-025 | 0.35 |");
    assert!(complaints.contains("docs/results.md"), "{complaints}");
}

#[test]
fn finds_a_csv_file_that_was_changed_by_hand_outside_the_shown_columns() {
    let name = "docs/results/inside_radius.csv"; // the document shows only some of its columns
    let complaints = check_after_change(name, "any g", "none");
    assert_eq!(
        complaints,
        "inside_radius.csv is not as its command wrote it: run its command again\n\
         inside_radius_nearest.csv was computed from another inside_radius.csv: run its command again\n"
    );
}

#[test]
fn finds_a_table_whose_votes_were_drawn_again() {
    let complaints = check_after_change("docs/results/votes_smoothed-025.csv", "seed=0", "seed=1");
    for table in ["certified.csv", "fig3.csv"] {
        let expected = format!("{table} was computed from another votes_smoothed-025.csv");
        assert!(complaints.contains(&expected), "{complaints}");
    }
}

#[test]
fn finds_a_table_without_provenance() {
    let complaints = check_after_change(
        "docs/results/provenance.csv",
        "\nalone.csv,l2,lipschitz.onnx",
        "\nalone.csv,l3,lipschitz.onnx",
    );
    assert_eq!(
        complaints,
        "provenance.csv does not list all sources of alone.csv: run its command again\n"
    );
}

#[test]
fn finds_a_table_that_was_written_with_undocumented_options() {
    let complaints = check_after_change(
        "docs/results/provenance.csv",
        "robust-model-accuracy --norm l2",
        "robust-model-accuracy --norm l2 --temperature 1",
    );
    assert_eq!(
        complaints,
        "alone.csv was written by `evaluate robust-model-accuracy --norm l2 --temperature 1`, which is not in \
         models/docs/experiments.md\n"
    );
}

#[test]
fn finds_a_table_that_lacks_a_part() {
    let folder = copy();
    let path = folder.path().join("docs/results/alone.csv");
    let text = fs::read_to_string(&path).unwrap();
    let rest: Vec<_> = text.lines().filter(|line| !line.contains(",l2,")).collect();
    fs::write(&path, rest.join("\n")).unwrap();
    let complaints = check(folder.path());
    assert!(complaints.contains("alone.csv has no rows of norm l2"), "{complaints}");
}

#[test]
fn finds_a_table_that_is_missing() {
    let folder = copy();
    fs::remove_file(folder.path().join("docs/results/cost.csv")).unwrap();
    let complaints = check(folder.path());
    assert!(
        complaints.ends_with("cost.csv is missing: run its command\n"),
        "{complaints}"
    );
}

#[test]
fn finds_results_of_a_model_that_was_trained_again() {
    let folder = copy();
    fs::write(folder.path().join("models/cifar10/standard.onnx"), b"another").unwrap();
    let complaints = check(folder.path());
    for table in ["accuracy.csv", "fig3.csv"] {
        assert!(
            complaints.contains(&format!("{table} was computed from another standard.onnx")),
            "{complaints}"
        );
    }
    assert!(!complaints.contains("smoothed"), "{complaints}");
}

#[test]
fn finds_a_table_that_no_document_shows() {
    let complaints = check_after_change("docs/results.md", "<!-- table fig3 -->", "");
    assert!(complaints.contains("no document shows the table fig3"), "{complaints}");
}

/// Starts Python with the module of the tables imported as `tables`.
fn start_python_with_tables(script: &str, table: &Path, arguments: [String; 2]) -> std::process::Child {
    Command::new("python3")
        .args([
            "-s",
            "-B",
            "-c",
            &format!(
                "import sys, pathlib\nfrom certimix_models import result_tables as tables\n\
                 path = pathlib.Path(sys.argv[1])\n{script}"
            ),
        ])
        .arg(table)
        .args(arguments)
        .env("PYTHONPATH", repository().join("models"))
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("python3")
}

/// Each process adds 20 rows of its own to one table, one after the other.
#[test]
fn concurrent_commands_keep_each_others_rows() {
    const PROCESSES: usize = 4;
    const ROWS: usize = 20;
    const SCRIPT: &str = "
writer = sys.argv[2]
for number in range(int(sys.argv[3])):
    row = {'writer': writer, 'number': number}
    belongs = lambda row: (row['writer'], row['number']) == (float(writer), number)
    tables.replace_part(path, [row], belongs, ('model', '0'), part=writer)
";
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.csv");
    let started: Vec<_> = (0..PROCESSES)
        .map(|writer| start_python_with_tables(SCRIPT, &table, [writer.to_string(), ROWS.to_string()]))
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
fn a_part_is_not_written_to_a_table_that_was_changed_by_hand() {
    const SCRIPT: &str =
        "tables.replace_part(path, [{'writer': sys.argv[2]}], lambda row: False, ('model', '0'), part=sys.argv[3])";
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.csv");
    let run = |writer: &str| {
        start_python_with_tables(SCRIPT, &table, [writer.into(), writer.into()])
            .wait_with_output()
            .unwrap()
    };
    assert!(run("one").status.success());
    fs::write(&table, "writer\nsomebody\n").unwrap();
    let output = run("two");
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.contains("was changed since a command wrote it"),
        "{complaint}"
    );
    assert_eq!(fs::read_to_string(&table).unwrap(), "writer\nsomebody\n");
}
