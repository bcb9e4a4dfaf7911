//! The alerts, their runbook and the metrics that they read speak of the same things.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

const ALERTS: &str = include_str!("../deploy/prometheus/alerts.yml");
const RUNBOOK: &str = include_str!("../docs/guides/operations.md");
const METRICS: &str = include_str!("../docs/reference/metrics.md");

/// What follows `key` in each line that begins with it.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(move |line| line.trim_start().strip_prefix(key))
        .map(str::trim)
}

fn alerts() -> BTreeSet<&'static str> {
    values(ALERTS, "- alert:").collect()
}

/// Names of metrics of ours, and what every process has, wherever they stand. Those that a rule records have a colon before them.
fn metrics_read(text: &str) -> BTreeSet<&str> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split(|letter| !is_name(letter)))
        .filter(|word| word.starts_with("certimix_") || word.starts_with("process_"))
        .collect()
}

/// The names of the table, and those that a histogram of it has besides.
fn documented() -> BTreeSet<String> {
    let names = METRICS
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    names
        .flat_map(|(name, kind)| {
            let parts: &[&str] = match kind.starts_with("histogram") {
                true => &["_bucket", "_sum", "_count"],
                false => &[""],
            };
            parts.iter().map(move |part| format!("{name}{part}"))
        })
        .collect()
}

#[test]
fn every_alert_has_its_place_in_the_runbook_and_the_other_way_round() {
    let (_, runbook) = RUNBOOK.split_once("\n## Runbook\n").unwrap();
    let headings: BTreeSet<&str> = values(runbook, "### ").collect();
    assert!(alerts().len() > 20, "{:?}", alerts());
    assert_eq!(alerts(), headings);
}

#[test]
fn every_alert_links_to_its_heading() {
    let links: Vec<&str> = values(ALERTS, "runbook_url:").collect();
    let names: Vec<&str> = values(ALERTS, "- alert:").collect();
    let expected: Vec<String> = names
        .iter()
        .map(|name| format!("docs/guides/operations.md#{}", name.to_lowercase()))
        .collect();
    assert_eq!(links, expected);
}

#[test]
fn every_alert_has_a_severity_that_the_runbook_says_too() {
    let severities = ALERTS.split("- alert: ").skip(1).map(|rule| {
        let (name, rest) = rule.split_once('\n').unwrap();
        let (_, severity) = rest.split_once("severity: ").unwrap();
        (name, severity.split_once('}').unwrap().0)
    });
    for (name, severity) in severities {
        let (_, section) = RUNBOOK.split_once(&format!("\n### {name}\n\n")).unwrap();
        let said = section.to_lowercase();
        assert!(said.starts_with(&format!("*{severity}")), "{name} is a {severity}");
    }
}

#[test]
fn alerts_read_metrics_that_there_are() {
    let (read, documented) = (metrics_read(ALERTS), documented());
    assert!(read.len() > 20, "{read:?}");
    let unknown: Vec<_> = read.iter().filter(|name| !documented.contains(**name)).collect();
    assert!(
        unknown.is_empty(),
        "docs/reference/metrics.md does not have {unknown:?}"
    );
}

#[test]
fn recorded_names_are_recorded() {
    let recorded: BTreeSet<&str> = values(ALERTS, "- record:").collect();
    let used: BTreeSet<&str> = ALERTS
        .split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'))
        .filter(|word| word.contains(":certimix_"))
        .collect();
    assert_eq!(recorded, used);
}
