//! Tests of `benches/serving/`, which is a program without tests of its own: its pure functions, and
//! the report that it renders.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, reason = "the benchmark uses the rest of these modules")]

use std::path::Path;
use std::time::Duration;

#[path = "../benches/serving/arrival_times.rs"]
mod arrival_times;
#[path = "../benches/serving/interference.rs"]
mod interference;
#[path = "../benches/serving/markdown.rs"]
mod markdown;
#[path = "../benches/serving/process_usage.rs"]
mod process_usage;
#[path = "../benches/serving/provenance.rs"]
mod provenance;
#[path = "../benches/serving/report.rs"]
mod report;
#[path = "../benches/serving/report_files.rs"]
mod report_files;
#[path = "../benches/serving/statistics.rs"]
mod statistics;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn medians_and_quantiles() {
    assert_eq!(statistics::median(&[]), 0.0);
    assert_eq!(statistics::median(&[3.0, 1.0, 2.0]), 2.0);
    assert_eq!(statistics::median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
    assert_eq!(statistics::quantile(&hundred, 0.99), 99.0);
    assert_eq!(statistics::quantile(&hundred, 1.0), 100.0);
    assert_eq!(statistics::quantile(&hundred, 0.0), 1.0);
    assert_eq!(statistics::quantile(&[], 0.5), 0.0);
    let summary = statistics::RoundSummary::of(vec![3.0, 1.0, 2.0]);
    assert_eq!((summary.median, summary.min, summary.max), (2.0, 1.0, 3.0));
    assert_eq!(summary.per_round, [3.0, 1.0, 2.0]);
}

#[test]
fn slope_of_points_on_a_line() {
    let line: Vec<(f64, f64)> = (0..10).map(f64::from).map(|x| (x, 5.0 - 2.0 * x)).collect();
    assert!((statistics::slope(&line) + 2.0).abs() < 1e-12);
    assert_eq!(statistics::slope(&[(1.0, 1.0)]), 0.0);
    assert_eq!(statistics::slope(&[]), 0.0);
}

#[test]
fn even_arrivals_and_bursts_have_the_requested_rate() {
    let even = arrival_times::evenly_spaced(20.0, SECOND);
    assert_eq!(even.len(), 20);
    assert_eq!(even[1], Duration::from_millis(50));
    let bursts = arrival_times::bursts(100.0, 50, SECOND);
    assert_eq!(bursts.len(), 100);
    assert!(bursts[..50].iter().all(|at| at.is_zero()));
    assert!(bursts[50..].iter().all(|at| *at == SECOND / 2));
}

#[test]
fn poisson_arrivals_have_the_requested_rate_and_exponential_gaps() {
    let arrivals = arrival_times::poisson(1000.0, 20 * SECOND, 1);
    // Five standard deviations of the count.
    assert!((arrivals.len() as f64 - 20_000.0).abs() < 5.0 * 20_000f64.sqrt());
    assert!(arrivals.is_sorted() && *arrivals.last().unwrap() < 20 * SECOND);
    // A share exp(-1) of exponential gaps is longer than the mean.
    let long = arrivals.windows(2).filter(|pair| pair[1] - pair[0] > SECOND / 1000);
    let share = long.count() as f64 / arrivals.len() as f64;
    assert!((share - (-1f64).exp()).abs() < 0.02, "{share}");
    assert_ne!(arrivals, arrival_times::poisson(1000.0, 20 * SECOND, 2));
    assert_eq!(arrivals, arrival_times::poisson(1000.0, 20 * SECOND, 1));
}

/// docs/benchmarks.md and docs/benchmarks.json are as `cargo bench --bench serving -- --render` writes them.
#[test]
fn the_committed_report_is_rendered_from_its_data() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = root.join("docs");
    let report = report_files::ReportFiles::new(&committed, root)
        .unwrap()
        .read()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let rendered = report_files::ReportFiles::new(folder.path(), root).unwrap();
    rendered.write(&report).unwrap();
    for name in ["benchmarks.json", "benchmarks.md"] {
        let text = |folder: &Path| std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(
            text(&committed) == text(folder.path()),
            "{name} is not as rendered: run `cargo bench --bench serving -- --render`"
        );
    }
}
