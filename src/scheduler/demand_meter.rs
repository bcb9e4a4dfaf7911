//! The executor time that callers ask for, whether they get it or not: the figure that an autoscaler
//! follows. A state machine without clock.
//!
//! The depth of the queue is no such figure. Admission refuses what cannot meet its deadline, so under
//! short deadlines the queue stays short, however much is asked for.

use std::time::{Duration, Instant};

use super::refusal::Refusal;

/// The most refused work that counts in a second, in proportion to what the executors can do in it.
/// Callers that repeat what was refused ask again for the same work, and no server can tell. With
/// this bound a storm of them counts as at most five times the capacity, and the autoscaler still
/// takes several times the replicas in one step.
const MAX_REFUSED: f64 = 4.0;
/// The time for which unused refused work is saved up, in seconds.
const SAVED_UP: f64 = 15.0;

/// Counts what is asked for, and bounds the refused work in it.
#[derive(Debug)]
pub(super) struct DemandMeter {
    /// The refused work that may still count, in seconds of one executor.
    allowed: f64,
    /// The time of the last update.
    updated: Option<Instant>,
}

impl DemandMeter {
    /// A meter for executors that do the work of `executors` executors.
    pub(super) fn new(executors: f64) -> Self {
        Self {
            allowed: executors * MAX_REFUSED * SAVED_UP,
            updated: None,
        }
    }

    /// The part that counts of `work` that was asked for at `now`, and admitted unless there is a
    /// `refusal`. The executors do the work of `executors` executors.
    pub(super) fn demanded(
        &mut self,
        work: Duration,
        refusal: Option<&Refusal>,
        executors: f64,
        now: Instant,
    ) -> Duration {
        match refusal {
            None => work,
            // No number of servers answers it.
            Some(Refusal::TooShort { .. }) => Duration::ZERO,
            Some(_) => self.refused(work, executors, now),
        }
    }

    /// The part of the refused `work` that counts at `now`, while the executors do the work of
    /// `executors` executors.
    fn refused(&mut self, work: Duration, executors: f64, now: Instant) -> Duration {
        let passed = self
            .updated
            .replace(now)
            .map_or(Duration::ZERO, |updated| now.saturating_duration_since(updated));
        let in_a_second = executors * MAX_REFUSED;
        self.allowed = (self.allowed + passed.as_secs_f64() * in_a_second).min(in_a_second * SAVED_UP);
        let counted = work.as_secs_f64().min(self.allowed);
        self.allowed -= counted;
        Duration::try_from_secs_f64(counted).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn work_counts_unless_no_server_could_do_it() {
        let (now, mut meter) = (Instant::now(), DemandMeter::new(2.0));
        let (left, alone) = (MS, 3 * MS);
        let too_short = Refusal::TooShort { left, alone };
        let crowded = Refusal::Crowded { retry_after: MS };
        assert_eq!(meter.demanded(3 * MS, None, 2.0, now), 3 * MS);
        assert_eq!(meter.demanded(3 * MS, Some(&crowded), 2.0, now), 3 * MS);
        assert_eq!(meter.demanded(3 * MS, Some(&too_short), 2.0, now), Duration::ZERO);
    }

    #[test]
    fn refused_work_counts() {
        let (start, mut meter) = (Instant::now(), DemandMeter::new(2.0));
        let counted: Duration = (0..10_000).map(|ms| meter.refused(3 * MS, 2.0, start + ms * MS)).sum();
        assert_eq!(counted.as_millis(), 30_000);
    }

    #[test]
    fn a_storm_of_retries_counts_as_at_most_four_times_the_capacity() {
        let (start, mut meter) = (Instant::now(), DemandMeter::new(2.0));
        let mut count = |from: u32| -> Duration {
            (from..from + 60_000)
                .map(|ms| meter.refused(100 * MS, 2.0, start + ms * MS))
                .sum()
        };
        count(0);
        let counted = count(60_000).as_secs_f64();
        assert!((479.0..481.0).contains(&counted), "{counted}");
    }
}
