//! The time in which an executor wanted to run a batch and had no processor.

use std::time::{Duration, Instant};

/// The shortest pause that counts. Shorter ones are part of the speed of every batch.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// The processor time of the thread is read at most this often, because a read costs as much as a
/// small batch.
const READ_INTERVAL: Duration = Duration::from_millis(1);

/// Compares the time of batches with the processor time of their thread.
#[derive(Debug, Default)]
pub(super) struct PauseMeter {
    /// The last read of the processor time.
    last: Option<(Instant, Duration)>,
}

impl PauseMeter {
    /// The pause in a batch that ended at `now` and took `elapsed`; `processor_time` reads that of the
    /// thread. The result is never too long: work between the last read and the batch shortens it.
    pub(super) fn pause(&mut self, now: Instant, elapsed: Duration, processor_time: impl Fn() -> Duration) -> Duration {
        let is_recent = |(at, _): (Instant, Duration)| now.saturating_duration_since(at) < READ_INTERVAL;
        if self.last.is_some_and(is_recent) {
            return Duration::ZERO;
        }
        let used = processor_time();
        let Some((_, before)) = self.last.replace((now, used)) else {
            return Duration::ZERO;
        };
        let paused = elapsed.saturating_sub(used.saturating_sub(before));
        if paused >= SHORTEST_PAUSE {
            paused
        } else {
            Duration::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_batch_that_took_more_time_than_its_thread_ran_was_paused() {
        let (start, mut meter) = (Instant::now(), PauseMeter::default());
        assert_eq!(meter.pause(start, 3 * MS, || 3 * MS), Duration::ZERO);
        assert_eq!(meter.pause(start + 3 * MS, 3 * MS, || 6 * MS), Duration::ZERO);
        assert_eq!(meter.pause(start + 81 * MS, 78 * MS, || 9 * MS), 75 * MS);
        // A short pause does not count, and neither does the time between batches.
        assert_eq!(meter.pause(start + 88 * MS, 7 * MS, || 12 * MS), Duration::ZERO);
        assert_eq!(meter.pause(start + 999 * MS, 3 * MS, || 15 * MS), Duration::ZERO);
        // Other work since the last batch may hide a pause.
        assert_eq!(meter.pause(start + 1100 * MS, 78 * MS, || 115 * MS), Duration::ZERO);
    }

    #[test]
    fn the_processor_time_is_read_at_most_once_a_millisecond() {
        let (start, mut meter) = (Instant::now(), PauseMeter::default());
        let reads = std::cell::Cell::new(0);
        for micros in 0..10_000 {
            let now = start + Duration::from_micros(micros);
            meter.pause(now, Duration::from_micros(1), || {
                reads.set(reads.get() + 1);
                Duration::from_micros(micros)
            });
        }
        assert_eq!(reads.get(), 10);
    }
}
