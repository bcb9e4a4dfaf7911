//! Renders a report as Markdown. Its first table also goes to the terminal.

use std::fmt::Write as _;

use crate::report::{Finding, SoakData, SoakReport, Verdict};

const INTRODUCTION: &str = "\
# Soak: the server under honest and abusive load

`make soak` writes this page; do not edit it. [soak.json](soak.json) has every sample.

The release binary serves the bundled models (`config/cifar10.toml`) over loopback, with tokens. Honest callers send Predicts, a
PredictStream, Certifies, and other calls at a rate that takes about a fifth of two processors. They come from 127.0.0.1 with a token of their
own. Meanwhile the attacks below take turns, one or two at a time. They come from another address; in every second cycle they have a token.
`benches/attacks/catalogue.rs` has their sizes.
The operator changes alpha and tokens, writes settings that must be refused, touches a manifest, and swaps the models for those of
`config/cifar10-tiny.toml` and back. Every cycle contains each attack once, in a random order, and ends with a quiet phase without attacks.

Only the second half of a quiet phase is compared between cycles; the first quiet phase is before any attack. The slope is the Theil-Sen estimate over the quiet phases of the second
half of the run, with Sen's interval at 95 %; the upper end of the interval must be under the bound. A request fails if it has
neither an answer nor RESOURCE_EXHAUSTED with a retry delay.
";

pub fn render(data: &SoakData) -> String {
    let report = &data.report;
    let mut text = INTRODUCTION.to_owned();
    let broken = report
        .findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Broken);
    write!(
        text,
        "\n{:.0} minutes, {} cycles, seed {}, on {}.\n{}\n\n{}\n",
        report.minutes,
        report.cycles,
        report.seed,
        report.provenance.line(),
        report.interference.line(),
        match broken.count() {
            0 => "No rule is broken.".to_owned(),
            number => format!("**{number} of {} rules are broken.**", report.findings.len()),
        }
    )
    .unwrap_or_default();
    text += &table(
        &["rule", "bound", "measured", "verdict"],
        &finding_rows(&report.findings),
    );
    text += "\n![memory, threads, descriptors and latencies over the run](soak.svg)\n";
    text += &render_requests(report);
    text += &render_latencies(report);
    text += &render_attacks(report);
    text += &render_operations(report);
    text + &render_failures(report)
}

/// The cells of the table of rules.
pub fn finding_rows(findings: &[Finding]) -> Vec<Vec<String>> {
    let row = |finding: &Finding| {
        vec![
            finding.rule.clone(),
            finding.bound.clone(),
            finding.measured.clone(),
            finding.verdict.name().to_owned(),
        ]
    };
    findings.iter().map(row).collect()
}

fn render_requests(report: &SoakReport) -> String {
    let rows: Vec<Vec<String>> = report
        .honest
        .requests
        .iter()
        .map(|(kind, counts)| {
            let numbers = [counts.answered, counts.refused, counts.failed];
            let mut row = vec![kind.name().to_owned()];
            row.extend(numbers.map(|number| number.to_string()));
            row
        })
        .collect();
    let certificates = &report.honest.certificates;
    format!(
        "\n## Honest requests\n{}\nOf the answered inputs {} are certified, {} abstained and {} unavailable. The largest resident memory \
         of a sample is {:.0} MiB.\n",
        table(&["request", "answered", "refused", "failed"], &rows),
        certificates.certified,
        certificates.abstained,
        certificates.unavailable,
        report.server.peak_resident_mib
    )
}

fn render_latencies(report: &SoakReport) -> String {
    let rows: Vec<Vec<String>> = report
        .honest
        .latencies
        .iter()
        .map(|(phase, latency)| {
            let ms = |value: f64| format!("{value:.1} ms");
            vec![
                phase.clone(),
                latency.requests.to_string(),
                ms(latency.p50_ms),
                ms(latency.p99_ms),
                ms(latency.max_ms),
            ]
        })
        .collect();
    format!(
        "\n## Latency of an honest Predict\n{}",
        table(&["beside", "answered", "p50", "p99", "most"], &rows)
    )
}

fn render_attacks(report: &SoakReport) -> String {
    let rows: Vec<Vec<String>> = report
        .attacks
        .iter()
        .map(|attack| {
            let numbers = [attack.runs, attack.connections, attack.sent, attack.refused];
            let mut row = vec![attack.name.clone()];
            row.extend(numbers.map(|number| number.to_string()));
            row
        })
        .collect();
    format!(
        "\n## Attacks\n{}",
        table(&["attack", "runs", "connections", "sent", "ended by the server"], &rows)
    )
}

fn render_operations(report: &SoakReport) -> String {
    let rows: Vec<Vec<String>> = report
        .operations
        .changes
        .iter()
        .map(|(change, counts)| {
            vec![
                change.clone(),
                counts.seen.to_string(),
                counts.missed.to_string(),
                format!("{:.1} s", counts.slowest_s),
            ]
        })
        .collect();
    format!(
        "\n## Changes\n{}\nThe server counts {:.0} reloads applied and {:.0} rejected, {:.0} connections refused and {:.0} cut.\n",
        table(&["change", "seen", "missed", "slowest"], &rows),
        report.server.reloads_applied,
        report.server.reloads_rejected,
        report.server.connections_refused,
        report.server.connections_cut
    )
}

fn render_failures(report: &SoakReport) -> String {
    if report.honest.failures.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = report
        .honest
        .failures
        .iter()
        .map(|(failure, number)| vec![failure.replace(['|', '\n'], " "), number.to_string()])
        .collect();
    format!(
        "\n## Failures of honest requests\n{}",
        table(&["failure", "requests"], &rows)
    )
}

fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let header: Vec<String> = header.iter().map(|&cell| cell.to_owned()).collect();
    let rule = "|---".repeat(header.len()) + "|\n";
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("\n{}{rule}{rows}", line(&header))
}
