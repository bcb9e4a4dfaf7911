//! How large a batch is worth it: measured once, at start.

use std::time::{Duration, Instant};

use crate::onnx::{Backend, BackendError, Halt};

/// A larger batch may lose this part of the best throughput: so much may be noise.
const TOLERANCE: f64 = 0.97;
/// Two doublings in a row that give less than this much more: no more are tried.
const GROWS: f64 = 1.05;
/// Of each size the best of some runs counts: at least this many,
const LEAST_RUNS: u32 = 3;
/// and more while they have taken less than this.
const LEAST_TIME: Duration = Duration::from_millis(4);

/// A batch size, and how long a run of it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Rows in one run.
    pub rows: usize,
    /// Of that run.
    pub time: Duration,
}

impl Measured {
    /// Time per row.
    #[must_use]
    pub fn row_time(&self) -> Duration {
        self.time / u32::try_from(self.rows.max(1)).unwrap_or(u32::MAX)
    }

    fn rows_per_second(&self) -> f64 {
        1.0 / self.row_time().as_secs_f64().max(1e-12)
    }
}

/// Finds the largest batch that loses no throughput, of those of at most `largest` rows that take at most
/// `max_batch_time`; `row` is a typical input. One row is always allowed.
///
/// `resize` gives a backend another batch size.
///
/// # Errors
/// If a run fails.
pub fn measure_batch_size<B: Backend>(
    backend: &mut B,
    resize: impl Fn(&mut B, usize),
    row: &[f32],
    largest: usize,
    max_batch_time: Duration,
) -> Result<Measured, BackendError> {
    let mut measured = Vec::new();
    let mut rows = 1;
    while rows <= largest.max(1) {
        resize(backend, rows);
        let time = best_time(backend, rows, row)?;
        measured.push(Measured { rows, time });
        if time > max_batch_time || !grows(&measured) {
            break;
        }
        rows *= 2;
    }
    let chosen = choose(&measured, max_batch_time);
    resize(backend, chosen.rows);
    Ok(chosen)
}

/// How long one batch of `rows` rows takes.
///
/// # Errors
/// If a run fails.
pub fn best_time<B: Backend>(backend: &mut B, rows: usize, row: &[f32]) -> Result<Duration, BackendError> {
    let (input, mut output) = (row.repeat(rows), Vec::new());
    let (mut best, mut runs, start) = (Duration::MAX, 0, Instant::now());
    while runs < LEAST_RUNS || start.elapsed() < LEAST_TIME {
        let begin = Instant::now();
        backend.run(rows, &input, &mut output, &Halt::new(1))?;
        best = best.min(begin.elapsed());
        runs += 1;
    }
    Ok(best)
}

/// Whether one of the last two doublings gave more throughput.
fn grows(measured: &[Measured]) -> bool {
    let mut last: Vec<f64> = measured.iter().rev().take(3).map(Measured::rows_per_second).collect();
    last.reverse();
    last.len() < 3 || last.windows(2).any(|pair| pair[1] > pair[0] * GROWS)
}

/// The largest batch within `max_batch_time` that loses no throughput: the more rows end at once, the fewer threads are woken for
/// their answers.
fn choose(measured: &[Measured], max_batch_time: Duration) -> Measured {
    let allowed = |one: &&Measured| one.rows == 1 || one.time <= max_batch_time;
    let best = measured
        .iter()
        .filter(allowed)
        .map(Measured::rows_per_second)
        .fold(0.0, f64::max);
    let enough = |one: &&Measured| allowed(one) && one.rows_per_second() >= best * TOLERANCE;
    let one = Measured {
        rows: 1,
        time: Duration::ZERO,
    };
    measured.iter().rev().find(enough).copied().unwrap_or(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(times: &[(usize, u64)]) -> Vec<Measured> {
        let one = |&(rows, micros)| Measured {
            rows,
            time: Duration::from_micros(micros),
        };
        times.iter().map(one).collect()
    }

    const LONG: Duration = Duration::from_secs(1);

    #[test]
    fn where_larger_batches_gain_nothing_the_time_decides() {
        let convolution = measured(&[(1, 720), (2, 1430), (4, 2830)]);
        assert!(!grows(&convolution));
        assert_eq!(choose(&convolution, Duration::from_millis(3)).rows, 4);
        assert_eq!(choose(&convolution, Duration::from_millis(2)).rows, 2);
    }

    #[test]
    fn a_batch_that_loses_is_not_taken() {
        let spills = measured(&[(1, 100), (2, 200), (4, 500), (8, 1600)]);
        assert_eq!(choose(&spills, LONG).rows, 2);
    }

    #[test]
    fn a_batch_that_gains_is_taken_up_to_where_it_ends() {
        let layer = measured(&[(1, 20), (2, 20), (4, 20), (8, 21), (16, 40), (32, 90)]);
        assert!(grows(&layer[..4]));
        assert!(!grows(&layer));
        assert_eq!(choose(&layer, LONG).rows, 16);
    }

    #[test]
    fn a_wait_that_is_too_long_is_not_taken_though_it_gains() {
        let slow = measured(&[(1, 10_000), (2, 11_000), (4, 13_000)]);
        assert_eq!(choose(&slow, Duration::from_millis(12)).rows, 2);
        assert_eq!(choose(&slow, Duration::from_millis(1)).rows, 1);
    }
}
