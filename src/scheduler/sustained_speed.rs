//! The speed that the operating system lets the executors have. A state machine without clock.
//!
//! A batch that runs alone shows the speed of the processor. Executors may have less: a CPU quota
//! stops all threads of the process once the quota of a period is used up, and other programs take
//! turns on a processor. Then most batches run at full speed, and some contain a pause. An average of
//! the batches that caps each of them would not see the pauses, so they are counted here.
//!
//! # The quota
//!
//! Let the quota be `q` processors for `n` executors, with the period `P`. All executors together do
//! `w` seconds of work in `w` seconds, as long as the quota of the period lasts. Afterwards they have
//! the share `q / n` of the time, and a pause of up to `P (1 - q / n)` passes before they go on. The
//! thread that reads requests and writes answers is paused too. The quota that is left is at least
//! `q P` less the processor time of the process in the last period.
//!
//! # The measurement
//!
//! Pauses in batches tell of a quota that no file shows, and of other programs. The measured speed is
//! that of the median of the last five windows of a tenth of a second of batches, so a single stall
//! of the machine counts nothing.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::settings::CpuQuota;

/// The time of batches in one window, in seconds: a period of the usual quota.
const WINDOW: f64 = 0.1;
/// The number of windows of which the median counts. A stall shorter than two windows has no effect.
const WINDOWS: usize = 5;
/// Executors that pause for this share of the time pause again before the next answer.
const FREQUENT_PAUSES: f64 = 0.25;
/// The use of the quota is known to this part of a period.
const SAMPLES_IN_PERIOD: u32 = 16;

/// The speed of all executors together, in proportion to that without pauses.
#[derive(Debug, Clone)]
pub(super) struct SustainedSpeed {
    executors: f64,
    quota: Option<QuotaUse>,
    window: Pauses,
    windows: VecDeque<Pauses>,
    measured: MeasuredPauses,
}

/// The pauses in some batches, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Pauses {
    /// The time of the batches, with their pauses.
    elapsed: f64,
    /// The sum of the pauses.
    paused: f64,
    longest: f64,
}

/// The pauses that the next batches will have.
#[derive(Debug, Clone, Copy, Default)]
struct MeasuredPauses {
    /// The share of the time; 0 to 1.
    share: f64,
    /// In seconds; 0 if pauses are rare.
    longest: f64,
}

/// A quota, and the part of it that is used.
#[derive(Debug, Clone)]
struct QuotaUse {
    quota: CpuQuota,
    /// The processor time of the process at some moments; the first is at least a period ago.
    samples: VecDeque<(Instant, Duration)>,
    /// The processor time that is left, in seconds.
    left: f64,
}

impl SustainedSpeed {
    /// The speed of executors without pauses so far, under `quota`.
    pub(super) fn new(executors: f64, quota: Option<CpuQuota>) -> Self {
        // A quota that lets every executor run is no bound.
        let quota = quota.filter(|quota| quota.processors < executors);
        Self {
            executors,
            quota: quota.map(QuotaUse::new),
            window: Pauses::default(),
            windows: VecDeque::new(),
            measured: MeasuredPauses::default(),
        }
    }

    /// Whether a quota bounds the speed, so that [`SustainedSpeed::record_use`] has an effect.
    pub(super) fn has_quota(&self) -> bool {
        self.quota.is_some()
    }

    /// Records the processor time that the process has used until `now`.
    pub(super) fn record_use(&mut self, now: Instant, used: Duration) {
        if let Some(quota) = &mut self.quota {
            quota.record(now, used);
        }
    }

    /// Records a batch that took `elapsed`, of which the executor was paused for `paused`.
    pub(super) fn observe(&mut self, elapsed: Duration, paused: Duration) {
        self.window.elapsed += elapsed.as_secs_f64();
        self.window.paused += paused.min(elapsed).as_secs_f64();
        self.window.longest = self.window.longest.max(paused.as_secs_f64());
        if self.window.elapsed >= WINDOW {
            let window = std::mem::take(&mut self.window);
            self.end_window(window);
        }
    }

    /// Records a batch that ran alone, as a window of its own.
    pub(super) fn remeasure(&mut self, elapsed: Duration, paused: Duration) {
        self.end_window(Pauses {
            elapsed: elapsed.as_secs_f64(),
            paused: paused.min(elapsed).as_secs_f64(),
            longest: paused.as_secs_f64(),
        });
    }

    fn end_window(&mut self, window: Pauses) {
        if self.windows.len() == WINDOWS {
            self.windows.pop_front();
        }
        self.windows.push_back(window);
        let share = self.median(Pauses::share);
        let longest = if share >= FREQUENT_PAUSES {
            self.median(|pauses| pauses.longest)
        } else {
            0.0
        };
        self.measured = MeasuredPauses { share, longest };
    }

    /// The median of a property of the last windows, where missing ones count as zero.
    fn median(&self, property: impl Fn(&Pauses) -> f64) -> f64 {
        let mut values = [0.0; WINDOWS];
        for (value, window) in values.iter_mut().zip(&self.windows) {
            *value = property(window);
        }
        values.sort_by(f64::total_cmp);
        values[WINDOWS / 2]
    }

    /// The share of the time in which the executors run if they have work; above 0, at most 1.
    fn share(&self) -> f64 {
        let measured = 1.0 - self.measured.share;
        let quota = self.quota.as_ref();
        quota
            .map_or(measured, |used| measured.min(used.quota.processors / self.executors))
            .max(0.001)
    }

    /// The number of executors that would do as much without pauses.
    pub(super) fn executors(&self) -> f64 {
        self.executors * self.share()
    }

    /// The time for `work` seconds of work on all executors, with the quota that is left. Beyond the
    /// share of the time it may meet two pauses: one before its last batch, and one before the request
    /// is read or the answer is written.
    pub(super) fn wait(&self, work: f64) -> f64 {
        let left = self.quota.as_ref().map_or(0.0, |used| used.left);
        self.with_pauses(work, left, 2.0)
    }

    /// The same with the whole quota of a period, and one pause.
    pub(super) fn wait_when_idle(&self, work: f64) -> f64 {
        let left = self.quota.as_ref().map_or(0.0, QuotaUse::whole);
        self.with_pauses(work, left, 1.0)
    }

    /// The time for `work` seconds of work on all executors, if `left` seconds of processor time are
    /// left before a pause, and `pauses` pauses come beyond the share of the time.
    fn with_pauses(&self, work: f64, left: f64, pauses: f64) -> f64 {
        let (share, at_once) = (self.share(), left / self.executors);
        if share >= 1.0 || work <= at_once {
            return work;
        }
        let quota = self.quota.as_ref();
        let pause = quota.map_or(0.0, |used| used.longest_pause(self.executors));
        ((work - at_once) / share + pauses * pause.max(self.measured.longest)).max(work)
    }
}

impl Pauses {
    fn share(&self) -> f64 {
        if self.elapsed > 0.0 {
            self.paused / self.elapsed
        } else {
            0.0
        }
    }
}

impl QuotaUse {
    fn new(quota: CpuQuota) -> Self {
        let mut used = Self {
            quota,
            samples: VecDeque::new(),
            left: 0.0,
        };
        used.left = used.whole();
        used
    }

    /// The processor time of one period, in seconds.
    fn whole(&self) -> f64 {
        self.quota.processors * self.quota.period.as_secs_f64()
    }

    /// The longest pause of `executors` executors that always have work, in seconds.
    fn longest_pause(&self, executors: f64) -> f64 {
        self.quota.period.as_secs_f64() * (1.0 - self.quota.processors / executors)
    }

    fn record(&mut self, now: Instant, used: Duration) {
        let since = |at: Instant| now.saturating_duration_since(at);
        let is_close = |&(at, _): &(Instant, Duration)| since(at) < self.quota.period / SAMPLES_IN_PERIOD;
        // The last sample is replaced while it is close to the one before, so that there are few.
        if self.samples.len() >= 2 && self.samples.get(self.samples.len() - 2).is_some_and(is_close) {
            self.samples.pop_back();
        }
        self.samples.push_back((now, used));
        while self
            .samples
            .get(1)
            .is_some_and(|&(at, _)| since(at) >= self.quota.period)
        {
            self.samples.pop_front();
        }
        let before = self.samples.front().map_or(used, |&(_, before)| before);
        self.left = (self.whole() - used.saturating_sub(before).as_secs_f64()).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn quarter() -> Option<CpuQuota> {
        Some(CpuQuota {
            processors: 0.25,
            period: 100 * MS,
        })
    }

    /// Whether two times in seconds are the same to a microsecond.
    fn same(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-6
    }

    #[test]
    fn without_pauses_and_quota_work_takes_its_time() {
        let mut speed = SustainedSpeed::new(2.0, None);
        for _ in 0..1000 {
            speed.observe(3 * MS, Duration::ZERO);
        }
        assert!(same(speed.wait(0.123), 0.123) && same(speed.wait_when_idle(0.123), 0.123));
        assert!(same(speed.executors(), 2.0));
        // A quota for every executor is no bound.
        let quota = CpuQuota {
            processors: 2.0,
            period: 100 * MS,
        };
        assert!(!SustainedSpeed::new(2.0, Some(quota)).has_quota());
    }

    #[test]
    fn a_quota_slows_what_does_not_fit_in_a_period() {
        let speed = SustainedSpeed::new(1.0, quarter());
        assert!(same(speed.wait(0.020), 0.020));
        // 25 ms at once, 10 ms at a quarter of the speed, and two pauses.
        assert!(same(speed.wait(0.035), 0.040 + 2.0 * 0.075), "{}", speed.wait(0.035));
        assert!(same(speed.executors(), 0.25));
    }

    #[test]
    fn the_quota_that_was_used_in_the_last_period_is_gone() {
        let (mut speed, start) = (SustainedSpeed::new(1.0, quarter()), Instant::now());
        for ms in 0..=20 {
            speed.record_use(start + ms * MS, ms * MS);
        }
        assert!(same(speed.wait(0.005), 0.005));
        assert!(same(speed.wait(0.006), 0.004 + 2.0 * 0.075), "{}", speed.wait(0.006));
        // An idle machine has the whole quota.
        assert!(same(speed.wait_when_idle(0.006), 0.006));
        speed.record_use(start + 60 * MS, 20 * MS);
        assert!(speed.wait(0.006) > 0.07);
        speed.record_use(start + 121 * MS, 20 * MS);
        assert!(same(speed.wait(0.025), 0.025), "{}", speed.wait(0.025));
    }

    #[test]
    fn few_samples_are_kept_however_often_the_use_is_recorded() {
        let (mut speed, start) = (SustainedSpeed::new(1.0, quarter()), Instant::now());
        for micros in 0..1_000_000 {
            speed.record_use(start + Duration::from_micros(micros), Duration::from_micros(micros / 5));
        }
        let used = speed.quota.unwrap();
        assert!(used.samples.len() <= 36, "{}", used.samples.len());
        // A fifth of a processor for a period, and what was used until the sample before it.
        assert!((0.0035..=0.005).contains(&used.left), "{}", used.left);
    }

    #[test]
    fn pauses_of_an_unknown_quota_are_followed() {
        let mut speed = SustainedSpeed::new(1.0, None);
        for _ in 0..5 {
            for _ in 0..8 {
                speed.observe(3 * MS, Duration::ZERO);
            }
            speed.observe(78 * MS, 75 * MS);
        }
        assert!((0.24..0.28).contains(&speed.executors()), "{}", speed.executors());
        let wait = speed.wait(0.010);
        assert!((0.185..0.195).contains(&wait), "{wait}");
        for _ in 0..150 {
            speed.observe(3 * MS, Duration::ZERO);
        }
        assert!(same(speed.wait(0.010), 0.010));
    }

    #[test]
    fn a_single_stall_of_the_machine_counts_nothing() {
        let mut speed = SustainedSpeed::new(1.0, None);
        for number in 0..1000 {
            let paused = if number % 500 == 250 { 2000 * MS } else { Duration::ZERO };
            speed.observe(3 * MS + paused, paused);
            assert!(same(speed.wait(0.010), 0.010), "after batch {number}");
        }
    }

    #[test]
    fn rare_short_pauses_slow_the_work_but_add_no_pause() {
        let mut speed = SustainedSpeed::new(1.0, None);
        for number in 0..1000 {
            let paused = if number % 10 == 0 { 6 * MS } else { Duration::ZERO };
            speed.observe(3 * MS + paused, paused);
        }
        let wait = speed.wait(0.001);
        assert!((0.0011..0.0013).contains(&wait), "{wait}");
    }
}
