//! Tests of `benches/soak/`, which is a program without tests of its own: its rules, its statistics,
//! and the report that it renders.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, reason = "the soak uses the rest of these modules")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

#[path = "../benches/soak/chart.rs"]
mod chart;
#[path = "../benches/soak/honest_results.rs"]
mod honest_results;
#[path = "../benches/serving/interference.rs"]
mod interference;
#[path = "../benches/soak/markdown.rs"]
mod markdown;
#[path = "../benches/soak/metric_text.rs"]
mod metric_text;
#[path = "../benches/soak/plan.rs"]
mod plan;
#[path = "../benches/serving/process_usage.rs"]
mod process_usage;
#[path = "../benches/serving/provenance.rs"]
mod provenance;
#[path = "../benches/soak/report.rs"]
mod report;
#[path = "../benches/soak/report_files.rs"]
mod report_files;
#[path = "../benches/soak/robust_slope.rs"]
mod robust_slope;
#[path = "../benches/soak/rules.rs"]
mod rules;
#[path = "../benches/serving/statistics.rs"]
mod statistics;

use honest_results::{Answer, HonestResults, RequestKind};
use report::{Finding, Sample, SoakReport, Verdict};
use robust_slope::robust_slope;

fn line(slope: f64, noise: impl Fn(i32) -> f64) -> Vec<(f64, f64)> {
    (0..12)
        .map(|x| (f64::from(x), 7.0 + slope * f64::from(x) + noise(x)))
        .collect()
}

#[test]
fn the_slope_of_a_line_is_exact_and_its_interval_a_point() {
    let slope = robust_slope(&line(3.0, |_| 0.0)).unwrap();
    for value in [slope.estimate, slope.lower, slope.upper] {
        assert!((value - 3.0).abs() < 1e-9, "{slope:?}");
    }
}

#[test]
fn one_outlier_moves_the_slope_little() {
    let slope = robust_slope(&line(3.0, |x| if x == 11 { 1e6 } else { 0.0 })).unwrap();
    assert!((slope.estimate - 3.0).abs() < 1e-9, "{slope:?}");
    // The least-squares line would have a slope of tens of thousands.
    assert!(slope.upper < 10.0, "{slope:?}");
}

#[test]
fn the_interval_covers_the_slope_of_noisy_lines_as_often_as_it_says() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut covered = 0;
    for _ in 0..1000 {
        let noise: Vec<f64> = (0..12).map(|_| random.f64() - 0.5).collect();
        let slope = robust_slope(&line(1.0, |x| noise[usize::try_from(x).unwrap()])).unwrap();
        assert!(slope.lower <= slope.estimate && slope.estimate <= slope.upper);
        covered += u32::from(slope.lower <= 1.0 && 1.0 <= slope.upper);
    }
    // 95 %, less five standard deviations of the count.
    assert!((915..=995).contains(&covered), "{covered}");
}

#[test]
fn few_points_have_no_interval() {
    assert_eq!(robust_slope(&line(1.0, |_| 0.0)[..5]), None);
}

/// A run of `cycles` cycles of three minutes, each with two busy and two quiet samples.
fn samples(cycles: u32, resident: impl Fn(u32) -> f64) -> Vec<Sample> {
    (1..=cycles)
        .flat_map(|cycle| {
            let mib = resident(cycle);
            (0..4).map(move |turn| Sample {
                at: f64::from(cycle * 180 + turn),
                cycle,
                quiet: turn >= 2,
                // A busy sample must not count.
                resident_mib: if turn >= 2 { mib } else { 9000.0 },
                threads: if turn == 2 { 31 } else { 30 },
                descriptors: 40,
                p50_ms: 3.0,
                ..Sample::default()
            })
        })
        .collect()
}

fn report() -> SoakReport {
    let results = HonestResults::new().unwrap();
    results.set_phase("quiet", "an attack").unwrap();
    results.record(RequestKind::Predict, Answer::Answered, Duration::from_millis(3));
    let mut report = SoakReport {
        provenance: provenance::Provenance {
            date: "today".to_owned(),
            machine: "a machine".to_owned(),
            onnxruntime: "1".to_owned(),
            revision: "abc".to_owned(),
            quick: false,
            other_server: None,
        },
        interference: interference::Interference::default(),
        minutes: 60.0,
        cycles: 20,
        seed: 1,
        findings: Vec::new(),
        honest: results.totals(),
        attacks: Vec::new(),
        operations: report::OperationSummary::default(),
        probes: report::ProbeSummary {
            probes: 100,
            failed: 0,
            slowest_ms: 5.0,
        },
        server: report::ServerTotals::default(),
        ended_early: None,
    };
    report.operations.record("alpha", Some(0.1));
    report
}

/// The rules with this verdict.
fn with(findings: &[Finding], verdict: Verdict) -> BTreeSet<&str> {
    let found = findings.iter().filter(|finding| finding.verdict == verdict);
    found
        .map(|finding| finding.rule.split([',', ' ']).next().unwrap())
        .collect()
}

#[test]
fn a_flat_run_keeps_every_rule() {
    let findings = rules::judge(&report(), &samples(20, |_| 200.0));
    assert!(
        findings.iter().all(|finding| finding.verdict == Verdict::Kept),
        "{findings:#?}"
    );
}

#[test]
fn a_leak_breaks_the_rules_of_memory_and_no_other() {
    // Four MiB a cycle: 80 MiB an hour.
    let findings = rules::judge(&report(), &samples(20, |cycle| 200.0 + 4.0 * f64::from(cycle)));
    assert_eq!(with(&findings, Verdict::Broken), BTreeSet::from(["growth", "resident"]));
    // Under the bound in the whole run, but still growing at its end.
    let findings = rules::judge(&report(), &samples(20, |cycle| 200.0 + 2.0 * f64::from(cycle)));
    assert_eq!(with(&findings, Verdict::Broken), BTreeSet::from(["growth"]));
}

#[test]
fn memory_that_settles_is_flat() {
    let settling = |cycle: u32| 200.0 + if cycle < 8 { 6.0 * f64::from(cycle) } else { 48.0 };
    let findings = rules::judge(&report(), &samples(20, settling));
    assert_eq!(with(&findings, Verdict::Broken), BTreeSet::new());
}

#[test]
fn each_fault_breaks_its_rule() {
    let flat = samples(20, |_| 200.0);
    let broken = |change: &dyn Fn(&mut SoakReport)| {
        let mut report = report();
        change(&mut report);
        let findings = rules::judge(&report, &flat);
        let broken = with(&findings, Verdict::Broken);
        broken.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(broken(&|report| report.probes.failed = 1), ["probes"]);
    assert_eq!(broken(&|report| report.server.failed_calls = 1.0), ["calls"]);
    assert_eq!(
        broken(&|report| report.ended_early = Some("it ended".to_owned())),
        ["the"]
    );
    assert_eq!(broken(&|report| report.operations.record("alpha", None)), ["changes"]);
    let one_failure = |report: &mut SoakReport| {
        let counts = report.honest.requests.get_mut(&RequestKind::Predict).unwrap();
        counts.failed = 1;
    };
    assert_eq!(broken(&one_failure), ["honest"]);
}

#[test]
fn threads_and_descriptors_must_return() {
    let mut more = samples(20, |_| 200.0);
    for sample in more.iter_mut().filter(|sample| sample.cycle == 20) {
        sample.threads += 1;
        sample.descriptors += 1;
    }
    let findings = rules::judge(&report(), &more);
    assert_eq!(with(&findings, Verdict::Broken), BTreeSet::from(["file", "threads"]));
}

#[test]
fn a_short_run_is_not_judged_where_it_cannot_be() {
    let findings = rules::judge(&report(), &samples(1, |_| 200.0));
    assert_eq!(
        with(&findings, Verdict::NotJudged),
        BTreeSet::from(["file", "growth", "resident", "threads"])
    );
    assert_eq!(with(&findings, Verdict::Broken), BTreeSet::new());
}

#[test]
fn refusals_are_no_failures_and_windows_start_empty() {
    let results = HonestResults::new().unwrap();
    results.set_phase("quiet", "an attack").unwrap();
    for (answer, ms) in [
        (Answer::Answered, 2),
        (Answer::Refused, 1),
        (Answer::Failed("Internal: x".to_owned()), 1),
    ] {
        results.record(RequestKind::Predict, answer, Duration::from_millis(ms));
    }
    let window = results.take_window();
    assert_eq!(
        (window.counts.answered, window.counts.refused, window.counts.failed),
        (1, 1, 1)
    );
    assert!((window.latency.p50_ms - 2.0).abs() < 0.01);
    assert_eq!(results.take_window().counts.answered, 0);
    let totals = results.totals();
    assert_eq!(totals.failures["Predict beside an attack: Internal: x"], 1);
    assert_eq!(totals.latencies["quiet"].requests, 1);
}

#[test]
fn every_attack_has_a_slot_in_every_cycle() {
    let plan = plan::SoakPlan::new(Duration::from_secs(3600));
    let cycle = plan.cycle(17, &mut fastrand::Rng::with_seed(3));
    let attacks: BTreeSet<usize> = cycle.slots.iter().flatten().copied().collect();
    assert_eq!(attacks.len(), 17);
    assert!(cycle.slots.iter().any(|slot| slot.len() == 2));
    let time = cycle.slot_time * 17 + cycle.quiet_time;
    assert!(time <= plan.cycle && time > plan.cycle - Duration::from_millis(1));
}

#[test]
fn metrics_are_summed_by_label() {
    let text = "# TYPE a counter\na{x=\"1\",y=\"z\"} 2\na{x=\"2\"} 3\nab 5\n";
    assert_eq!(metric_text::metric_sum(text, "a", ""), 5.0);
    assert_eq!(metric_text::metric_sum(text, "a", "x=\"1\""), 2.0);
    assert_eq!(metric_text::metric_sum(text, "ab", ""), 5.0);
}

/// docs/soak.md and docs/soak.svg are as `cargo bench --bench soak -- --render` writes them.
#[test]
fn the_committed_report_is_rendered_from_its_data() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let data = report_files::ReportFiles::new(&committed).read().unwrap();
    assert_eq!(
        data.report.findings,
        rules::judge(&data.report, &data.samples),
        "the findings are not those of the rules: run `cargo bench --bench soak -- --render`"
    );
    let folder = tempfile::tempdir().unwrap();
    report_files::ReportFiles::new(folder.path()).write(&data).unwrap();
    for name in ["soak.json", "soak.md", "soak.svg"] {
        let text = |folder: &Path| std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(
            text(&committed) == text(folder.path()),
            "{name} is not as rendered: run `cargo bench --bench soak -- --render`"
        );
    }
}
