//! The report as a page.

use std::fmt::Write as _;

use crate::provenance::Origin;
use crate::report::{Finding, Report, Section, Table};

const TOP: &str = "\
# Benchmarks: the server against the runtime underneath

Written by `make bench`; do not edit. The numbers are in [benchmarks.json](benchmarks.json), every round of them. Clients, load generator, server
and the bare loops share one machine. The two sides of each comparison are measured in turn, in rounds of seconds: A, B, A, B, …; a figure is the
median of the rounds' own figures, beside their smallest and largest. So a machine that is slow for a while is slow for both sides.

- **bare**: a loop over ONNX Runtime in one process, on the same files, with the session settings of the server, one session of each model for each
  thread and as many threads as processors; inputs are ready as float32, answers are not looked at.
- **server**: the release binary in a process of its own, with default settings, over gRPC on the loopback, one image a request.
- **CPU**: user and system time of the whole process, for each answered request. *Generator* is the load generator's own.
";

/// The whole page.
pub fn page(report: &Report, tried: &str) -> String {
    let mut text = TOP.to_owned();
    let common = common_origin(report);
    if let Some(origin) = &common {
        text += &format!("\nMeasured on {}.\n", origin.line());
    }
    text += &verdicts(report);
    for (letter, section) in &report.sections {
        text += &section_text(letter, section, common.as_ref() != Some(&section.origin));
    }
    text + "\n" + tried.trim() + "\n"
}

/// The origin of most sections; the others name their own.
fn common_origin(report: &Report) -> Option<Origin> {
    let origins: Vec<&Origin> = report.sections.values().map(|section| &section.origin).collect();
    let count = |origin: &Origin| origins.iter().filter(|other| **other == origin).count();
    origins
        .iter()
        .max_by_key(|origin| count(origin))
        .map(|&origin| origin.clone())
}

fn verdicts(report: &Report) -> String {
    let judged = |section: &Section| section.findings.iter().filter_map(Finding::met).collect::<Vec<_>>();
    let all: Vec<bool> = report.sections.values().flat_map(judged).collect();
    let met = all.iter().filter(|met| **met).count();
    let mut text = format!("\n{met} of {} targets are met.\n\n", all.len());
    for (letter, section) in &report.sections {
        if section.disturbance.is_large() {
            writeln!(
                text,
                "- ({letter}) was measured while the machine had other work: measure it again"
            )
            .unwrap_or_default();
        }
        for finding in section.findings.iter().filter(|finding| finding.met() == Some(false)) {
            let (what, value) = (&finding.what, finding.unit.show(finding.value.median));
            writeln!(text, "- missed: ({letter}) {what}: {value}, {}", finding.target_text()).unwrap_or_default();
        }
    }
    text
}

fn section_text(letter: &str, section: &Section, own_origin: bool) -> String {
    let mut text = format!("\n## ({letter}) {}\n\n{}\n", section.title, section.method);
    if own_origin {
        text += &format!("\n**Measured apart from the rest**: {}.\n", section.origin.line());
    }
    text += &format!("\n{}\n", section.disturbance.line());
    text += &table(&findings(section));
    for one in &section.tables {
        text += &table(one);
    }
    if !section.notes.is_empty() {
        text += "\n";
    }
    for note in &section.notes {
        text += &format!("- {note}\n");
    }
    text
}

/// Every figure of a section with its target.
pub fn findings(section: &Section) -> Table {
    let mut table = Table::new(&["", "target", "measured", "min to max", "verdict", "from"]);
    for finding in &section.findings {
        let show = |value| finding.unit.show(value);
        let range = if finding.value.per_round.len() > 1 {
            format!("{} to {}", show(finding.value.least), show(finding.value.most))
        } else {
            String::new()
        };
        table.row([
            finding.what.clone(),
            finding.target_text(),
            show(finding.value.median),
            range,
            finding.verdict().to_owned(),
            finding.from.clone(),
        ]);
    }
    table
}

fn table(table: &Table) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = "|---".repeat(table.head.len()) + "|\n";
    let rows: String = table.rows.iter().map(|row| line(row)).collect();
    format!("\n{}{rule}{rows}", line(&table.head))
}
