//! The time per row of each model, estimated from the batches that ran.

use std::time::{Duration, Instant};

use super::sustained_speed::SustainedSpeed;
use crate::domain::{PerRole, Role};
use crate::settings::CpuQuota;

/// The weight of a new full batch in the moving average. A batch with fewer rows weighs less, because
/// admission refuses only under a load that fills batches.
const FULL_BATCH_WEIGHT: f64 = 1.0 / 16.0;
/// The largest ratio of a new sample to the average. One stall of a shared machine must not count as
/// a new speed.
const MAX_RATIO: f64 = 4.0;

/// A number of rows, by model.
pub(super) type Rows = PerRole<u64>;

/// The time of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchTime {
    /// From the start of the batch to its end.
    pub(super) elapsed: Duration,
    /// The part of it in which the executor had no processor.
    pub(super) paused: Duration,
}

impl BatchTime {
    fn running(&self) -> Duration {
        self.elapsed.saturating_sub(self.paused)
    }
}

/// A moving average of the time per row of each model, the number of executors, and the speed that
/// they are allowed.
#[derive(Debug, Clone)]
pub(super) struct RowTimes {
    /// Seconds per row of an executor that is not paused.
    row: PerRole<f64>,
    full_batch: PerRole<usize>,
    executors: f64,
    speed: SustainedSpeed,
}

impl RowTimes {
    /// An estimate that starts with `row`, measured at start-up in batches of `full_batch` rows, for
    /// executors under a `quota` of processor time.
    pub(super) fn new(
        row: PerRole<Duration>,
        full_batch: PerRole<usize>,
        executors: usize,
        quota: Option<CpuQuota>,
    ) -> Self {
        let executors = f64::from(u32::try_from(executors.max(1)).unwrap_or(u32::MAX));
        Self {
            row: PerRole::of(|role| row[role].as_secs_f64()),
            full_batch,
            executors,
            speed: SustainedSpeed::new(executors, quota),
        }
    }

    /// Whether a quota bounds the executors, so that [`RowTimes::record_use`] has an effect.
    pub(super) fn has_quota(&self) -> bool {
        self.speed.has_quota()
    }

    /// Records the processor time that the process has used until `now`.
    pub(super) fn record_use(&mut self, now: Instant, used: Duration) {
        self.speed.record_use(now, used);
    }

    /// Updates the estimate with a batch of `rows` rows that took `time`.
    pub(super) fn observe(&mut self, role: Role, rows: usize, time: BatchTime) {
        self.speed.observe(time.elapsed, time.paused);
        let full = u32::try_from(self.full_batch[role].max(1)).unwrap_or(u32::MAX);
        let (Ok(rows @ 1..), average) = (u32::try_from(rows), &mut self.row[role]) else {
            return;
        };
        let weight = FULL_BATCH_WEIGHT * (f64::from(rows) / f64::from(full)).min(1.0);
        let sample = time.running().as_secs_f64() / f64::from(rows);
        let sample = if *average > 0.0 {
            sample.min(*average * MAX_RATIO)
        } else {
            sample
        };
        *average += (sample - *average) * weight;
    }

    /// Lowers the estimate to the time per row of a batch of `rows` rows that ran alone and took
    /// `time`. The batch was no busier than others, so a larger estimate is wrong.
    pub(super) fn remeasure(&mut self, role: Role, rows: usize, time: BatchTime) {
        if let Ok(rows @ 1..) = u32::try_from(rows) {
            self.row[role] = self.row[role].min(time.running().as_secs_f64() / f64::from(rows));
            self.speed.remeasure(time.elapsed, time.paused);
        }
    }

    /// The time in nanoseconds that one executor needs for one row of each model; at least 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and the estimate is not negative"
    )]
    pub(super) fn row_cost(&self) -> PerRole<u64> {
        PerRole::of(|role| ((self.row[role] * 1e9) as u64).max(1))
    }

    /// The number of executors that would do as much if none was ever paused.
    pub(super) fn sustained_executors(&self) -> f64 {
        self.speed.executors()
    }

    /// The time for `work` seconds of work on all executors, with the pauses that they will have.
    pub(super) fn wait(&self, work: f64) -> f64 {
        self.speed.wait(work)
    }

    /// The seconds that all executors together need for `rows`, without pauses.
    pub(super) fn seconds_on_all_executors(&self, rows: &Rows) -> f64 {
        self.seconds(rows) / self.executors
    }

    /// The time that one executor needs for `rows`, without pauses.
    pub(super) fn on_one_executor(&self, rows: &Rows) -> Duration {
        seconds(self.seconds(rows))
    }

    /// The time that all executors together need for `rows` on an idle machine.
    pub(super) fn on_all_executors(&self, rows: &Rows) -> Duration {
        seconds(self.speed.wait_when_idle(self.seconds_on_all_executors(rows)))
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate; rows stay far below 2^53")]
    fn seconds(&self, rows: &Rows) -> f64 {
        rows.standard as f64 * self.row.standard + rows.robust as f64 * self.row.robust
    }
}

/// A duration of `value` seconds. Saturates instead of panicking on a value out of range.
pub(super) fn seconds(value: f64) -> Duration {
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

    fn ran(elapsed: Duration) -> BatchTime {
        BatchTime {
            elapsed,
            paused: Duration::ZERO,
        }
    }

    fn rows(standard: u64, robust: u64) -> Rows {
        PerRole { standard, robust }
    }

    #[test]
    fn all_executors_share_the_rows() {
        let row_times = RowTimes::new(row(MS, 2 * MS), ONE_ROW, 4, None);
        assert_eq!(row_times.on_one_executor(&rows(2, 3)), 8 * MS);
        assert_eq!(row_times.on_all_executors(&rows(2, 3)), 2 * MS);
    }

    #[test]
    fn the_estimate_follows_batches_but_not_one_stall() {
        let mut row_times = RowTimes::new(row(MS, MS), ONE_ROW, 1, None);
        row_times.observe(Role::Standard, 1, ran(1000 * MS));
        assert!(row_times.on_one_executor(&rows(1, 0)) < MS * 6 / 5);
        for _ in 0..200 {
            row_times.observe(Role::Standard, 10, ran(30 * MS));
        }
        let estimate = row_times.on_one_executor(&rows(100, 0)).as_secs_f64();
        assert!((0.299..0.301).contains(&estimate), "{estimate}");
        assert_eq!(row_times.on_one_executor(&rows(0, 1)), MS);
        row_times.observe(Role::Robust, 0, ran(MS));
        assert_eq!(row_times.on_one_executor(&rows(0, 1)), MS);
    }

    #[test]
    fn a_pause_is_no_part_of_the_time_per_row() {
        let mut row_times = RowTimes::new(row(MS, MS), ONE_ROW, 1, None);
        for number in 0..100 {
            let paused = if number % 9 == 0 { 75 * MS } else { Duration::ZERO };
            let time = BatchTime {
                elapsed: MS + paused,
                paused,
            };
            row_times.observe(Role::Standard, 1, time);
        }
        assert_eq!(row_times.on_one_executor(&rows(1, 0)), MS);
        // The pauses count for the wait: 9 ms of work in 84 ms.
        assert!((9.0..10.0).contains(&(row_times.wait(1.0) - row_times.wait(0.0))));
    }

    #[test]
    fn a_batch_alone_lowers_an_estimate_that_is_too_high_and_never_raises_it() {
        let mut row_times = RowTimes::new(row(100 * MS, MS), ONE_ROW, 1, None);
        row_times.remeasure(Role::Standard, 4, ran(8 * MS));
        row_times.remeasure(Role::Robust, 1, ran(50 * MS));
        row_times.remeasure(Role::Robust, 0, ran(Duration::ZERO));
        assert_eq!(row_times.on_one_executor(&rows(1, 0)), 2 * MS);
        assert_eq!(row_times.on_one_executor(&rows(0, 1)), MS);
        assert_eq!(
            row_times.row_cost(),
            PerRole {
                standard: 2_000_000,
                robust: 1_000_000
            }
        );
    }

    #[test]
    fn single_rows_weigh_little() {
        let full = PerRole {
            standard: 256,
            robust: 256,
        };
        // A batch of 256 rows takes 2 ms, and a single row takes as long.
        let mut row_times = RowTimes::new(row(MS / 128, MS), full, 1, None);
        for _ in 0..100 {
            row_times.observe(Role::Standard, 1, ran(2 * MS));
        }
        assert!(
            row_times.on_one_executor(&rows(256, 0)) < 4 * MS,
            "{:?}",
            row_times.on_one_executor(&rows(256, 0))
        );
    }
}
