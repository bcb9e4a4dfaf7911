//! The number of processors that the server may use.

/// The processors that the process may run on: bounded by the cgroup quota and the affinity mask.
#[must_use]
pub fn processor_count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
