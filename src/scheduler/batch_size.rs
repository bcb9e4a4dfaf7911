//! The choice of the batch size, measured once at start-up.

use std::time::{Duration, Instant};

use crate::onnx::{Backend, BackendError, Cancellation};

/// A batch size qualifies with this share of the best throughput. The rest may be noise.
const MIN_THROUGHPUT_SHARE: f64 = 0.97;
/// The search ends after two doublings in a row with less growth of the throughput than this.
const MIN_GROWTH: f64 = 1.05;
/// The least number of runs of each size. The fastest run counts.
const MIN_RUNS: u32 = 3;
/// The least total time of the runs of each size.
const MIN_TIME: Duration = Duration::from_millis(4);

/// A batch size and the time of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeasuredBatch {
    /// Rows in one run.
    pub rows: usize,
    /// The time of that run.
    pub time: Duration,
}

impl MeasuredBatch {
    /// The time per row.
    #[must_use]
    pub fn row_time(&self) -> Duration {
        self.time / u32::try_from(self.rows.max(1)).unwrap_or(u32::MAX)
    }

    fn rows_per_second(&self) -> f64 {
        1.0 / self.row_time().as_secs_f64().max(1e-12)
    }
}

/// Finds the largest batch size without a loss of throughput, among the sizes of at most `largest`
/// rows whose run takes at most `max_batch_time`. One row always qualifies. `row` is a typical input,
/// and `resize` sets the batch size of a backend.
///
/// # Errors
/// If a run fails.
pub fn measure_batch_size<B: Backend>(
    backend: &mut B,
    resize: impl Fn(&mut B, usize),
    row: &[f32],
    largest: usize,
    max_batch_time: Duration,
) -> Result<MeasuredBatch, BackendError> {
    let mut measured = Vec::new();
    let mut rows = 1;
    while rows <= largest.max(1) {
        resize(backend, rows);
        let time = best_time(backend, rows, row)?;
        measured.push(MeasuredBatch { rows, time });
        if time > max_batch_time || !grows(&measured) {
            break;
        }
        rows *= 2;
    }
    let chosen = choose(&measured, max_batch_time);
    resize(backend, chosen.rows);
    Ok(chosen)
}

/// The time of the fastest of some runs of `rows` rows.
///
/// # Errors
/// If a run fails.
pub fn best_time<B: Backend>(backend: &mut B, rows: usize, row: &[f32]) -> Result<Duration, BackendError> {
    let (input, mut output) = (row.repeat(rows), Vec::new());
    let (mut best, mut runs, start) = (Duration::MAX, 0, Instant::now());
    while runs < MIN_RUNS || start.elapsed() < MIN_TIME {
        let begin = Instant::now();
        backend.run(rows, &input, &mut output, &Cancellation::new(1))?;
        best = best.min(begin.elapsed());
        runs += 1;
    }
    Ok(best)
}

/// Whether one of the last two doublings increased the throughput.
fn grows(measured: &[MeasuredBatch]) -> bool {
    let mut last: Vec<f64> = measured
        .iter()
        .rev()
        .take(3)
        .map(MeasuredBatch::rows_per_second)
        .collect();
    last.reverse();
    last.len() < 3 || last.windows(2).any(|pair| pair[1] > pair[0] * MIN_GROWTH)
}

/// The largest batch size within `max_batch_time` without a loss of throughput. A larger batch wakes
/// fewer threads for its replies.
fn choose(measured: &[MeasuredBatch], max_batch_time: Duration) -> MeasuredBatch {
    let allowed = |one: &&MeasuredBatch| one.rows == 1 || one.time <= max_batch_time;
    let best = measured
        .iter()
        .filter(allowed)
        .map(MeasuredBatch::rows_per_second)
        .fold(0.0, f64::max);
    let enough = |one: &&MeasuredBatch| allowed(one) && one.rows_per_second() >= best * MIN_THROUGHPUT_SHARE;
    let one = MeasuredBatch {
        rows: 1,
        time: Duration::ZERO,
    };
    measured.iter().rev().find(enough).copied().unwrap_or(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(times: &[(usize, u64)]) -> Vec<MeasuredBatch> {
        let one = |&(rows, micros)| MeasuredBatch {
            rows,
            time: Duration::from_micros(micros),
        };
        times.iter().map(one).collect()
    }

    const LONG: Duration = Duration::from_secs(1);

    #[test]
    fn without_growth_the_time_limit_decides() {
        let convolution = measured(&[(1, 720), (2, 1430), (4, 2830)]);
        assert!(!grows(&convolution));
        assert_eq!(choose(&convolution, Duration::from_millis(3)).rows, 4);
        assert_eq!(choose(&convolution, Duration::from_millis(2)).rows, 2);
    }

    #[test]
    fn a_batch_size_that_loses_throughput_is_not_chosen() {
        let spills = measured(&[(1, 100), (2, 200), (4, 500), (8, 1600)]);
        assert_eq!(choose(&spills, LONG).rows, 2);
    }

    #[test]
    fn a_growing_batch_size_is_chosen_up_to_the_plateau() {
        let layer = measured(&[(1, 20), (2, 20), (4, 20), (8, 21), (16, 40), (32, 90)]);
        assert!(grows(&layer[..4]));
        assert!(!grows(&layer));
        assert_eq!(choose(&layer, LONG).rows, 16);
    }

    #[test]
    fn a_batch_over_the_time_limit_is_not_chosen() {
        let slow = measured(&[(1, 10_000), (2, 11_000), (4, 13_000)]);
        assert_eq!(choose(&slow, Duration::from_millis(12)).rows, 2);
        assert_eq!(choose(&slow, Duration::from_millis(1)).rows, 1);
    }
}
