//! `certimix evaluate` on the real binary.

mod bad_rows;
mod recorded_answers;
mod resumed_runs;
mod services;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use certimix::evaluation::{EvaluationHeader, EvaluationRecord, EvaluationRecords};

use crate::support::Setup;
use crate::support::process;

/// Writes rows and labels as a CSV file.
fn write_csv(setup: &Setup, rows: &[[f32; 4]]) -> PathBuf {
    let lines = rows
        .iter()
        .enumerate()
        .map(|(row, [a, b, c, d])| format!("{},{a},{b},{c},{d}\n", row % 2));
    let text: String = std::iter::once("label,a,b,c,d\n".to_owned()).chain(lines).collect();
    setup.file("data.csv", text.as_bytes())
}

/// Runs `certimix evaluate` on the data and the settings of `setup`.
fn evaluate(setup: &Setup, data: &Path, more: &[&str]) -> Output {
    let settings = setup.write();
    let out = output_path(setup);
    let arguments = [
        "evaluate",
        data.to_str().unwrap(),
        "--config",
        settings.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    process::run(&[&arguments, more].concat(), &[])
}

fn output_path(setup: &Setup) -> PathBuf {
    setup.folder().join("results.parquet")
}

fn records(setup: &Setup) -> (EvaluationHeader, Vec<EvaluationRecord>) {
    EvaluationRecords::read(&output_path(setup)).unwrap()
}

/// The columns predict and radius of a tab-separated file.
fn tsv(path: &Path) -> Vec<(u32, f64)> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("idx\tlabel\tpredict\tradius\tcorrect\ttime"));
    lines
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            (columns[2].parse().unwrap(), columns[3].parse().unwrap())
        })
        .collect()
}
