//! The alerts, the runbook and the documented metrics agree with each other.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ALERTS: &str = include_str!("../deploy/prometheus/alerts.yml");
const RUNBOOK: &str = include_str!("../docs/guides/operations.md");
const DASHBOARD: &str = include_str!("../deploy/grafana/certimix.json");
const METRICS: &str = include_str!("../docs/reference/metrics.md");

/// Returns the rest of each line that starts with `key`.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(move |line| line.trim_start().strip_prefix(key))
        .map(str::trim)
}

fn alert_names() -> BTreeSet<&'static str> {
    values(ALERTS, "- alert:").collect()
}

/// Returns the names of our metrics and of the process metrics in `text`. A name that a rule
/// records has a prefix with a colon, so it is left out.
fn metrics_read(text: &str) -> BTreeSet<&str> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split(|letter| !is_name(letter)))
        .filter(|word| word.starts_with("certimix_") || word.starts_with("process_"))
        .collect()
}

/// Returns the text of each file of a folder of the repository with this extension.
fn texts(folder: &str, extension: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Returns the lines of the PromQL blocks of a document.
fn documented_queries(document: &str) -> String {
    let blocks = document.split("```promql\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Returns the names in the table of metrics, and the series of each histogram.
fn documented_metrics() -> BTreeSet<String> {
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
fn the_runbook_has_exactly_one_section_for_each_alert() {
    let (_, runbook) = RUNBOOK.split_once("\n## Runbook\n").unwrap();
    let headings: BTreeSet<&str> = values(runbook, "### ").collect();
    assert!(alert_names().len() > 20, "{:?}", alert_names());
    assert_eq!(alert_names(), headings);
}

#[test]
fn each_alert_links_to_its_section() {
    let links: Vec<&str> = values(ALERTS, "runbook_url:").collect();
    let names: Vec<&str> = values(ALERTS, "- alert:").collect();
    let expected: Vec<String> = names
        .iter()
        .map(|name| format!("docs/guides/operations.md#{}", name.to_lowercase()))
        .collect();
    assert_eq!(links, expected);
}

#[test]
fn the_runbook_states_the_severity_of_each_alert() {
    let severities = ALERTS.split("- alert: ").skip(1).map(|rule| {
        let (name, rest) = rule.split_once('\n').unwrap();
        let (_, severity) = rest.split_once("severity: ").unwrap();
        (name, severity.split_once('}').unwrap().0)
    });
    for (name, severity) in severities {
        let (_, section) = RUNBOOK.split_once(&format!("\n### {name}\n\n")).unwrap();
        let section = section.to_lowercase();
        assert!(section.starts_with(&format!("*{severity}")), "{name} is a {severity}");
    }
}

#[test]
fn alerts_read_only_documented_metrics() {
    let (read, documented) = (metrics_read(ALERTS), documented_metrics());
    assert!(read.len() > 20, "{read:?}");
    let unknown: Vec<_> = read.iter().filter(|name| !documented.contains(**name)).collect();
    assert!(
        unknown.is_empty(),
        "docs/reference/metrics.md does not list {unknown:?}"
    );
}

#[test]
fn the_dashboard_reads_only_documented_metrics() {
    let expressions = DASHBOARD
        .lines()
        .filter(|line| line.trim_start().starts_with("\"expr\""))
        .collect::<Vec<_>>()
        .join("\n");
    let (read, documented) = (metrics_read(&expressions), documented_metrics());
    assert!(read.len() > 40, "{read:?}");
    let unknown: Vec<_> = read.iter().filter(|name| !documented.contains(**name)).collect();
    assert!(
        unknown.is_empty(),
        "docs/reference/metrics.md does not list {unknown:?}"
    );
}

#[test]
fn documented_queries_read_only_documented_metrics() {
    let folders = ["docs", "docs/guides", "docs/concepts", "docs/reference"];
    let queries: String = folders
        .iter()
        .flat_map(|folder| texts(folder, "md"))
        .map(|document| documented_queries(&document))
        .collect();
    let (read, documented) = (metrics_read(&queries), documented_metrics());
    assert!(read.len() > 10, "{read:?}");
    let unknown: Vec<_> = read.iter().filter(|name| !documented.contains(**name)).collect();
    assert!(
        unknown.is_empty(),
        "docs/reference/metrics.md does not list {unknown:?}"
    );
}

/// promtool runs these tests in `make check-deploy`. An alert without one may never fire, or always.
#[test]
fn each_alert_is_tested_to_fire_and_not_to_fire() {
    let tests: String = texts("deploy/prometheus/tests", "yml").concat();
    let (mut fires, mut stays_quiet) = (BTreeSet::new(), BTreeSet::new());
    let mut lines = tests.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("alertname: ") {
            assert_eq!(lines.peek(), Some(&"exp_alerts:"), "{name} has no expectation");
            fires.insert(name.to_owned());
        } else if let Some((_, name)) = line.split_once(", alertname: ") {
            stays_quiet.insert(name.trim_end_matches('}').to_owned());
        }
    }
    let alerts: BTreeSet<String> = alert_names().into_iter().map(str::to_owned).collect();
    assert_eq!(fires, alerts, "no test lets these alerts fire, or the alert is unknown");
    assert_eq!(
        stays_quiet, alerts,
        "no test expects these alerts to stay quiet, or the alert is unknown"
    );
}

#[test]
fn each_alert_has_a_summary_and_a_description() {
    for rule in ALERTS.split("- alert: ").skip(1) {
        for key in ["summary: \"", "description: \"", "runbook_url: "] {
            assert_eq!(rule.matches(key).count(), 1, "{key} in {rule}");
        }
    }
}

/// Anybody may cause calls that reach no handler, through the health service for example.
#[test]
fn no_page_counts_calls_that_reach_no_handler() {
    let pages = ALERTS
        .split("- alert: ")
        .skip(1)
        .filter(|rule| rule.contains("severity: page"));
    let read: Vec<&str> = pages
        .flat_map(|rule| rule.lines().filter(|line| line.contains("certimix_requests_total")))
        .collect();
    assert!(!read.is_empty());
    for line in read {
        assert!(line.contains(r#"rpc!="other""#), "{line}");
    }
    let recorded = ALERTS
        .lines()
        .filter(|line| line.contains("certimix_requests_total{rpc!~"));
    assert!(recorded.clone().count() > 0 && recorded.clone().all(|line| line.contains("|other\"")));
}

#[test]
fn the_recorded_names_are_exactly_the_used_ones() {
    let recorded: BTreeSet<&str> = values(ALERTS, "- record:").collect();
    let used: BTreeSet<&str> = ALERTS
        .split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'))
        .filter(|word| word.contains(":certimix_"))
        .collect();
    assert_eq!(recorded, used);
}

/// The table of fleet sizes in the guide is what the script prints.
#[test]
fn the_table_of_fleet_sizes_is_computed() {
    let output = std::process::Command::new("python3")
        .args(["-s", "scripts/fleet_size.py"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    let guide = include_str!("../docs/guides/scaling.md");
    assert!(
        guide.contains(&table),
        "docs/guides/scaling.md has another table than:\n{table}"
    );
}
