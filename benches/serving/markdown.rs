//! Renders the report as Markdown.

use std::fmt::Write as _;

use crate::provenance::Provenance;
use crate::report::{BenchReport, CaseReport, Measurement, ReportTable};

const INTRODUCTION: &str = "\
# Benchmarks: the server against ONNX Runtime alone

`make bench` writes this page; do not edit it. [benchmarks.json](benchmarks.json) has the numbers of every round.

Clients, load generator, server and bare loops share one machine. Each comparison measures its two sides in turn, in rounds of seconds:
A, B, A, B, … A figure is the median of the rounds' figures, with their minimum and maximum. So a slow phase of the machine slows both
sides.

- **g** is the standard model and **h** the robust model.
- **bare**: a loop over ONNX Runtime in one process, on the same files, with the session settings of the server. There are as many
  threads as processors, and each has its own session of each model. The inputs are ready as float32, and the loop ignores the outputs.
- **server**: the release binary in its own process, with default settings, over gRPC on the loopback interface, one image per request.
- **CPU**: user and system time of the whole process per answered request. *Generator* is the load generator.
";

/// The whole page. `experiments` is its last section.
pub fn render(report: &BenchReport, experiments: &str) -> String {
    let mut text = INTRODUCTION.to_owned();
    let common = common_provenance(report);
    if let Some(provenance) = &common {
        text += &format!("\nMeasured on {}.\n", provenance.line());
    }
    text += &target_summary(report);
    for (letter, case) in &report.cases {
        text += &render_case(letter, case, common.as_ref() != Some(&case.provenance));
    }
    text + "\n" + experiments.trim() + "\n"
}

/// The provenance of most cases. The other cases show their own.
fn common_provenance(report: &BenchReport) -> Option<Provenance> {
    let all: Vec<&Provenance> = report.cases.values().map(|case| &case.provenance).collect();
    let count = |provenance: &Provenance| all.iter().filter(|other| **other == provenance).count();
    all.iter()
        .max_by_key(|provenance| count(provenance))
        .map(|&provenance| provenance.clone())
}

/// How many targets are met, and which are not.
fn target_summary(report: &BenchReport) -> String {
    let results = |case: &CaseReport| {
        case.measurements
            .iter()
            .filter_map(Measurement::meets_target)
            .collect::<Vec<_>>()
    };
    let all: Vec<bool> = report.cases.values().flat_map(results).collect();
    let met = all.iter().filter(|met| **met).count();
    let mut text = format!("\n{met} of {} targets are met.\n\n", all.len());
    for (letter, case) in &report.cases {
        if case.interference.is_large() {
            writeln!(
                text,
                "- ({letter}) must be measured again: the machine had other work during the measurement"
            )
            .unwrap_or_default();
        }
        for missed in case.measurements.iter().filter(|one| one.meets_target() == Some(false)) {
            let (name, value) = (&missed.name, missed.unit.format(missed.value.median));
            writeln!(text, "- missed: ({letter}) {name}: {value}, {}", missed.target_text()).unwrap_or_default();
        }
    }
    text
}

fn render_case(letter: &str, case: &CaseReport, own_provenance: bool) -> String {
    let mut text = format!("\n## ({letter}) {}\n\n{}\n", case.title, case.method);
    if own_provenance {
        text += &format!("\n**Measured separately**: {}.\n", case.provenance.line());
    }
    text += &format!("\n{}\n", case.interference.line());
    text += &render_table(&measurement_table(case));
    for table in &case.tables {
        text += &render_table(table);
    }
    if !case.notes.is_empty() {
        text += "\n";
    }
    for note in &case.notes {
        text += &format!("- {note}\n");
    }
    text
}

/// The figures of a case with their targets.
pub fn measurement_table(case: &CaseReport) -> ReportTable {
    let mut table = ReportTable::new(&["", "target", "measured", "min to max", "result", "computed from"]);
    for measurement in &case.measurements {
        let format = |value| measurement.unit.format(value);
        let range = if measurement.value.per_round.len() > 1 {
            format!("{} to {}", format(measurement.value.min), format(measurement.value.max))
        } else {
            String::new()
        };
        table.add_row([
            measurement.name.clone(),
            measurement.target_text(),
            format(measurement.value.median),
            range,
            measurement.target_result().to_owned(),
            measurement.computed_from.clone(),
        ]);
    }
    table
}

fn render_table(table: &ReportTable) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = "|---".repeat(table.header.len()) + "|\n";
    let rows: String = table.rows.iter().map(|row| line(row)).collect();
    format!("\n{}{rule}{rows}", line(&table.header))
}
