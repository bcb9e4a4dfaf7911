//! The processor time that the kernel has counted.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The processor time of the calling thread or of the process, by `clock`.
pub(super) fn processor_time(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}
