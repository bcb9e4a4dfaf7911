//! The processor time that the cgroups of the process allow, which Kubernetes calls its CPU limit.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::cgroup_files::{LimitFile, limit_files};

const CPU_LIMIT: LimitFile = LimitFile {
    controller: "cpu",
    version_2: "cpu.max",
    version_1: "cpu.cfs_quota_us",
};
const PERIOD_OF_VERSION_1: &str = "cpu.cfs_period_us";

/// A bound on the processor time of all threads together. When it is used up, no thread runs until
/// the next period begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CpuQuota {
    /// Seconds of processor time for each second; positive. 0.25 is a quarter of one processor.
    pub processors: f64,
    /// The time after which the quota is renewed; 100 ms unless an operator has changed it.
    pub period: Duration,
}

impl CpuQuota {
    /// A quota of `quota` microseconds of processor time in each period of `period` microseconds;
    /// `None` if that is no bound.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a period stay far below 2^53")]
    fn of_micros(quota: i64, period: u64) -> Option<Self> {
        (quota > 0 && period > 0).then(|| Self {
            processors: quota as f64 / period as f64,
            period: Duration::from_micros(period),
        })
    }
}

/// The least quota of the cgroups of the process (version 2 or 1); `None` if there is no quota.
#[must_use]
pub fn cpu_quota() -> Option<CpuQuota> {
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    limit_files(&cgroups, CPU_LIMIT)
        .iter()
        .filter_map(|file| read_quota(file))
        .min_by(|one, other| one.processors.total_cmp(&other.processors))
}

fn read_quota(file: &Path) -> Option<CpuQuota> {
    let text = fs::read_to_string(file).ok()?;
    if file.ends_with(CPU_LIMIT.version_2) {
        return parse_cpu_max(&text);
    }
    let period = fs::read_to_string(file.with_file_name(PERIOD_OF_VERSION_1)).ok()?;
    CpuQuota::of_micros(text.trim().parse().ok()?, period.trim().parse().ok()?)
}

/// The quota in a `cpu.max` file: `25000 100000`, or `max 100000` without one.
fn parse_cpu_max(text: &str) -> Option<CpuQuota> {
    let (quota, period) = text.trim().split_once(' ')?;
    CpuQuota::of_micros(quota.parse().ok()?, period.trim().parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_of_version_2_is_read() {
        let quarter = parse_cpu_max("25000 100000\n").unwrap();
        assert!((quarter.processors - 0.25).abs() < 1e-12);
        assert_eq!(quarter.period, Duration::from_millis(100));
        for no_quota in ["max 100000\n", "", "0 100000", "25000", "25000 0", "-1 100000"] {
            assert_eq!(parse_cpu_max(no_quota), None, "{no_quota}");
        }
    }

    #[test]
    fn a_quota_of_version_1_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(CPU_LIMIT.version_1);
        assert_eq!(read_quota(&file), None);
        fs::write(&file, "150000\n").unwrap();
        fs::write(folder.path().join(PERIOD_OF_VERSION_1), "100000\n").unwrap();
        assert!((read_quota(&file).unwrap().processors - 1.5).abs() < 1e-12);
        fs::write(&file, "-1\n").unwrap();
        assert_eq!(read_quota(&file), None);
    }
}
