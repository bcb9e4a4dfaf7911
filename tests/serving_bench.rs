//! The pure parts of `benches/serving/`, which as a program of its own has no tests.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, reason = "the benchmark uses the rest")]

use std::time::Duration;

#[path = "../benches/serving/arrival_times.rs"]
mod arrival_times;
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
    let spread = statistics::Spread::of(vec![3.0, 1.0, 2.0]);
    assert_eq!((spread.median, spread.least, spread.most), (2.0, 1.0, 3.0));
    assert_eq!(spread.per_round, [3.0, 1.0, 2.0]);
}

#[test]
fn the_slope_is_that_of_the_line() {
    let line: Vec<(f64, f64)> = (0..10).map(f64::from).map(|x| (x, 5.0 - 2.0 * x)).collect();
    assert!((statistics::slope(&line) + 2.0).abs() < 1e-12);
    assert_eq!(statistics::slope(&[(1.0, 1.0)]), 0.0);
    assert_eq!(statistics::slope(&[]), 0.0);
}

#[test]
fn an_even_pace_and_bursts_have_their_rate() {
    let paced = arrival_times::paced(20.0, SECOND);
    assert_eq!(paced.len(), 20);
    assert_eq!(paced[1], Duration::from_millis(50));
    let bursts = arrival_times::bursts(100.0, 50, SECOND);
    assert_eq!(bursts.len(), 100);
    assert!(bursts[..50].iter().all(|at| at.is_zero()));
    assert!(bursts[50..].iter().all(|at| *at == SECOND / 2));
}

#[test]
fn a_poisson_process_has_its_rate_and_its_gaps() {
    let arrivals = arrival_times::poisson(1000.0, 20 * SECOND, 1);
    // Five standard deviations of the count.
    assert!((arrivals.len() as f64 - 20_000.0).abs() < 5.0 * 20_000f64.sqrt());
    assert!(arrivals.is_sorted() && *arrivals.last().unwrap() < 20 * SECOND);
    // Of exponential gaps a share exp(-1) is longer than the mean.
    let long = arrivals.windows(2).filter(|pair| pair[1] - pair[0] > SECOND / 1000);
    let share = long.count() as f64 / arrivals.len() as f64;
    assert!((share - (-1f64).exp()).abs() < 0.02, "{share}");
    assert_ne!(arrivals, arrival_times::poisson(1000.0, 20 * SECOND, 2));
    assert_eq!(arrivals, arrival_times::poisson(1000.0, 20 * SECOND, 1));
}
