//! How long rows take, learnt from the batches that ran.

use std::time::Duration;

use crate::domain::{PerRole, Role};

/// Weight of the newest batch in the moving average.
const NEWEST: f64 = 1.0 / 16.0;
/// A batch that took this many times the average counts as this many: one stall of a shared machine is no new speed.
const MOST_AT_ONCE: f64 = 4.0;

/// Rows of each model.
pub(super) type Rows = PerRole<u64>;

/// A moving average of each model's time per row, in seconds, and the executors that share the work.
#[derive(Debug, Clone)]
pub(super) struct Speed {
    row: PerRole<f64>,
    executors: f64,
}

impl Speed {
    /// `row` is what was measured at start.
    pub(super) fn new(row: PerRole<Duration>, executors: usize) -> Self {
        Self {
            row: PerRole::of(|role| row[role].as_secs_f64()),
            executors: f64::from(u32::try_from(executors.max(1)).unwrap_or(u32::MAX)),
        }
    }

    /// Learns from a batch of `rows` rows that took `elapsed`.
    pub(super) fn observe(&mut self, role: Role, rows: usize, elapsed: Duration) {
        let (Ok(rows @ 1..), average) = (u32::try_from(rows), &mut self.row[role]) else {
            return;
        };
        let seen = elapsed.as_secs_f64() / f64::from(rows);
        let seen = if *average > 0.0 {
            seen.min(*average * MOST_AT_ONCE)
        } else {
            seen
        };
        *average += (seen - *average) * NEWEST;
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

    fn rows(standard: u64, robust: u64) -> Rows {
        PerRole { standard, robust }
    }

    #[test]
    fn work_is_shared_by_the_executors() {
        let speed = Speed::new(
            PerRole {
                standard: MS,
                robust: 2 * MS,
            },
            4,
        );
        assert_eq!(speed.work(&rows(2, 3)), 8 * MS);
        assert_eq!(speed.wait(&rows(2, 3)), 2 * MS);
    }

    #[test]
    fn it_follows_the_batches_but_not_one_stall() {
        let mut speed = Speed::new(
            PerRole {
                standard: MS,
                robust: MS,
            },
            1,
        );
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
}
