//! How long rows take, learnt from the batches that ran.

use std::time::Duration;

use crate::domain::{PerRole, Role};

/// Weight of the newest full batch in the moving average. A batch with few rows weighs less: it tells little about a load that
/// fills batches, and that is the load that is admitted or refused.
const NEWEST: f64 = 1.0 / 16.0;
/// A batch that took this many times the average counts as this many: one stall of a shared machine is no new speed.
const MOST_AT_ONCE: f64 = 4.0;

/// Rows of each model.
pub(super) type Rows = PerRole<u64>;

/// A moving average of each model's time per row, in seconds, and the executors that share the work.
#[derive(Debug, Clone)]
pub(super) struct Speed {
    row: PerRole<f64>,
    full: PerRole<usize>,
    executors: f64,
}

impl Speed {
    /// `row` is what was measured at start, in batches of `full` rows.
    pub(super) fn new(row: PerRole<Duration>, full: PerRole<usize>, executors: usize) -> Self {
        Self {
            row: PerRole::of(|role| row[role].as_secs_f64()),
            full,
            executors: f64::from(u32::try_from(executors.max(1)).unwrap_or(u32::MAX)),
        }
    }

    /// Learns from a batch of `rows` rows that took `elapsed`.
    pub(super) fn observe(&mut self, role: Role, rows: usize, elapsed: Duration) {
        let full = u32::try_from(self.full[role].max(1)).unwrap_or(u32::MAX);
        let (Ok(rows @ 1..), average) = (u32::try_from(rows), &mut self.row[role]) else {
            return;
        };
        let weight = NEWEST * (f64::from(rows) / f64::from(full)).min(1.0);
        let seen = elapsed.as_secs_f64() / f64::from(rows);
        let seen = if *average > 0.0 {
            seen.min(*average * MOST_AT_ONCE)
        } else {
            seen
        };
        *average += (seen - *average) * weight;
    }

    /// How long `rows` take one executor.
    pub(super) fn work(&self, rows: &Rows) -> Duration {
        seconds(self.seconds(rows))
    }

    /// How long `rows` take all executors together.
    pub(super) fn wait(&self, rows: &Rows) -> Duration {
        seconds(self.seconds(rows) / self.executors)
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate; rows stay far below 2^53")]
    fn seconds(&self, rows: &Rows) -> f64 {
        rows.standard as f64 * self.row.standard + rows.robust as f64 * self.row.robust
    }
}

/// Never panics, whatever was measured.
fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    const ONE_ROW: PerRole<usize> = PerRole { standard: 1, robust: 1 };

    fn row(standard: Duration, robust: Duration) -> PerRole<Duration> {
        PerRole { standard, robust }
    }

    fn rows(standard: u64, robust: u64) -> Rows {
        PerRole { standard, robust }
    }

    #[test]
    fn work_is_shared_by_the_executors() {
        let speed = Speed::new(row(MS, 2 * MS), ONE_ROW, 4);
        assert_eq!(speed.work(&rows(2, 3)), 8 * MS);
        assert_eq!(speed.wait(&rows(2, 3)), 2 * MS);
    }

    #[test]
    fn it_follows_the_batches_but_not_one_stall() {
        let mut speed = Speed::new(row(MS, MS), ONE_ROW, 1);
        speed.observe(Role::Standard, 1, 1000 * MS);
        assert!(speed.work(&rows(1, 0)) < MS * 6 / 5);
        for _ in 0..200 {
            speed.observe(Role::Standard, 10, 30 * MS);
        }
        let learnt = speed.work(&rows(100, 0)).as_secs_f64();
        assert!((0.299..0.301).contains(&learnt), "{learnt}");
        assert_eq!(speed.work(&rows(0, 1)), MS);
        speed.observe(Role::Robust, 0, MS);
        assert_eq!(speed.work(&rows(0, 1)), MS);
    }

    #[test]
    fn lone_rows_say_little_about_full_batches() {
        let full = PerRole {
            standard: 256,
            robust: 256,
        };
        // A batch of 256 takes 2 ms, and so does one row.
        let mut speed = Speed::new(row(MS / 128, MS), full, 1);
        for _ in 0..100 {
            speed.observe(Role::Standard, 1, 2 * MS);
        }
        assert!(speed.work(&rows(256, 0)) < 4 * MS, "{:?}", speed.work(&rows(256, 0)));
    }
}
