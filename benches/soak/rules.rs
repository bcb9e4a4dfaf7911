//! The rules that a run must keep. These functions are pure.

use std::collections::BTreeMap;

use crate::report::{Finding, Sample, SoakReport, Verdict};
use crate::robust_slope::{MIN_POINTS, Slope, robust_slope};
use crate::statistics::median;

/// The most that resident memory may grow from the first quiet phase to the last.
const MAX_GROWTH_MIB: f64 = 64.0;
/// The most by which memory may be growing at the end of a run.
const MAX_SLOPE_MIB_PER_HOUR: f64 = 32.0;
/// The most by which the latency of the quiet phases may be growing, as a share of its median.
const MAX_LATENCY_SHARE_PER_HOUR: f64 = 0.25;
/// Cycles that a comparison of the first with the last needs.
const MIN_CYCLES: usize = 2;

/// The quiet phase of one cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuietPoint {
    pub hours: f64,
    pub resident_mib: f64,
    pub p50_ms: f64,
    /// The least in the phase: a count returns if it returns once.
    pub threads: u32,
    pub descriptors: u32,
}

/// The quiet phases, in order.
pub fn quiet_points(samples: &[Sample]) -> Vec<QuietPoint> {
    let mut cycles: BTreeMap<u32, Vec<&Sample>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.quiet) {
        cycles.entry(sample.cycle).or_default().push(sample);
    }
    let point = |phase: &Vec<&Sample>| {
        let figure =
            |figure: fn(&Sample) -> f64| median(&phase.iter().map(|sample| figure(sample)).collect::<Vec<_>>());
        QuietPoint {
            hours: figure(|sample| sample.at) / 3600.0,
            resident_mib: figure(|sample| sample.resident_mib),
            p50_ms: figure(|sample| sample.p50_ms),
            threads: phase.iter().map(|sample| sample.threads).min().unwrap_or_default(),
            descriptors: phase.iter().map(|sample| sample.descriptors).min().unwrap_or_default(),
        }
    };
    cycles.values().map(point).collect()
}

/// Judges a run.
pub fn judge(report: &SoakReport, samples: &[Sample]) -> Vec<Finding> {
    let quiet = quiet_points(samples);
    let mut findings = vec![lifetime(report), honest_requests(report), probes(report)];
    findings.extend(returns(&quiet));
    findings.push(memory_slope(&quiet));
    findings.push(latency_slope(&quiet));
    findings.push(operations(report));
    findings.push(Finding {
        rule: "calls that failed by the server's fault, by its own metric".to_owned(),
        bound: "none".to_owned(),
        measured: format!("{:.0}", report.server.failed_calls),
        verdict: Verdict::of(report.server.failed_calls == 0.0),
    });
    findings
}

fn lifetime(report: &SoakReport) -> Finding {
    Finding {
        rule: "the server serves to the end".to_owned(),
        bound: format!("{:.0} min", report.minutes),
        measured: report.ended_early.clone().unwrap_or_else(|| "it does".to_owned()),
        verdict: Verdict::of(report.ended_early.is_none()),
    }
}

fn honest_requests(report: &SoakReport) -> Finding {
    let sum = |count: fn(&crate::honest_results::AnswerCounts) -> u64| -> u64 {
        report.honest.requests.values().map(count).sum()
    };
    let (answered, failed) = (sum(|counts| counts.answered), sum(|counts| counts.failed));
    Finding {
        rule: "honest requests without an answer or a retry delay".to_owned(),
        bound: "none".to_owned(),
        measured: format!("{failed} of {}", answered + failed + sum(|counts| counts.refused)),
        verdict: Verdict::of(failed == 0 && answered > 0),
    }
}

fn probes(report: &SoakReport) -> Finding {
    let probes = &report.probes;
    Finding {
        rule: "probes without status 200 within 1 s".to_owned(),
        bound: "none".to_owned(),
        measured: format!(
            "{} of {}, slowest {:.0} ms",
            probes.failed, probes.probes, probes.slowest_ms
        ),
        verdict: Verdict::of(probes.failed == 0 && probes.probes > 0),
    }
}

/// Memory, threads and descriptors of the last quiet phase against those of the first.
fn returns(quiet: &[QuietPoint]) -> [Finding; 3] {
    let both = (quiet.len() >= MIN_CYCLES)
        .then(|| quiet.first().zip(quiet.last()))
        .flatten();
    let finding = |rule: &str, bound: &str, figure: fn(&QuietPoint) -> f64, unit: &str, most: f64| Finding {
        rule: rule.to_owned(),
        bound: bound.to_owned(),
        measured: both.map_or_else(
            || format!("fewer than {MIN_CYCLES} cycles"),
            |(first, last)| format!("{:.0}{unit}, then {:.0}{unit}", figure(first), figure(last)),
        ),
        verdict: both.map_or(Verdict::NotJudged, |(first, last)| {
            Verdict::of(figure(last) - figure(first) <= most)
        }),
    };
    [
        finding(
            "resident memory, first and last quiet phase",
            "64 MiB more",
            |point| point.resident_mib,
            " MiB",
            MAX_GROWTH_MIB,
        ),
        finding(
            "threads, first and last quiet phase",
            "no more",
            |point| f64::from(point.threads),
            "",
            0.0,
        ),
        finding(
            "file descriptors, first and last quiet phase",
            "no more",
            |point| f64::from(point.descriptors),
            "",
            0.0,
        ),
    ]
}

/// The slope over the second half of the quiet phases.
fn second_half_slope(quiet: &[QuietPoint], figure: fn(&QuietPoint) -> f64) -> Option<Slope> {
    let half = quiet.get(quiet.len() / 2..)?;
    let points: Vec<(f64, f64)> = half.iter().map(|point| (point.hours, figure(point))).collect();
    robust_slope(&points)
}

/// A slope is shown to be small if the upper end of its interval is under the bound.
fn slope_finding(rule: &str, bound: String, slope: Option<Slope>, scale: f64, unit: &str, most: f64) -> Finding {
    let scaled = slope.map(|slope| [slope.estimate, slope.lower, slope.upper].map(|value| value * scale));
    Finding {
        rule: rule.to_owned(),
        bound,
        measured: scaled.map_or_else(
            || format!("fewer than {MIN_POINTS} cycles in the second half"),
            |[estimate, lower, upper]| format!("{estimate:.1} {unit} ({lower:.1} to {upper:.1})"),
        ),
        verdict: scaled.map_or(Verdict::NotJudged, |[_, _, upper]| Verdict::of(upper <= most)),
    }
}

fn memory_slope(quiet: &[QuietPoint]) -> Finding {
    slope_finding(
        "growth of resident memory, second half, 95 % interval",
        format!("{MAX_SLOPE_MIB_PER_HOUR:.0} MiB/h"),
        second_half_slope(quiet, |point| point.resident_mib),
        1.0,
        "MiB/h",
        MAX_SLOPE_MIB_PER_HOUR,
    )
}

fn latency_slope(quiet: &[QuietPoint]) -> Finding {
    let typical = median(&quiet.iter().map(|point| point.p50_ms).collect::<Vec<_>>());
    let scale = if typical > 0.0 { 100.0 / typical } else { f64::NAN };
    slope_finding(
        "growth of the quiet p50, second half, 95 % interval",
        format!("{:.0} %/h", 100.0 * MAX_LATENCY_SHARE_PER_HOUR),
        second_half_slope(quiet, |point| point.p50_ms),
        scale,
        "%/h",
        100.0 * MAX_LATENCY_SHARE_PER_HOUR,
    )
}

fn operations(report: &SoakReport) -> Finding {
    let changes = report.operations.changes.values();
    let (seen, missed) = changes.fold((0, 0), |(seen, missed), counts| {
        (seen + counts.seen, missed + counts.missed)
    });
    Finding {
        rule: "changes of settings, tokens and models without effect".to_owned(),
        bound: "none".to_owned(),
        measured: format!("{missed} of {}", seen + missed),
        verdict: Verdict::of(missed == 0 && seen > 0),
    }
}
