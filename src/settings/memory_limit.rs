//! The memory that the process may use.

use std::fs;

use super::cgroup_files::{LimitFile, limit_files};

const MEMORY_LIMIT: LimitFile = LimitFile {
    controller: "memory",
    version_2: "memory.max",
    version_1: "memory.limit_in_bytes",
};

/// The limit if nothing states one: that of a small machine.
const UNKNOWN_LIMIT_BYTES: usize = 1 << 30;

/// The memory that the process may use, in bytes: the least of the limits of its cgroups (version 2
/// or 1) and the memory of the machine.
#[must_use]
pub fn memory_limit() -> usize {
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&cgroups, MEMORY_LIMIT)
        .into_iter()
        .filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.as_deref().and_then(total_memory);
    limits.chain(machine).min().unwrap_or(UNKNOWN_LIMIT_BYTES)
}

/// The memory of the machine in `/proc/meminfo`, in bytes.
fn total_memory(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_in_kibibytes() {
        assert_eq!(total_memory("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
        assert!(memory_limit() > 1 << 20);
    }
}
