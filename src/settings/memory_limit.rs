//! The memory that the process may use.

use std::fs;
use std::path::Path;

/// The limit if nothing states one: that of a small machine.
const UNKNOWN_LIMIT_BYTES: usize = 1 << 30;

/// The memory that the process may use, in bytes: the least of the limits of its cgroups (version 2
/// or 1) and the memory of the machine.
#[must_use]
pub fn memory_limit() -> usize {
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = cgroup_limit_files(&cgroups).into_iter().filter_map(|file| {
        let text = fs::read_to_string(Path::new("/sys/fs/cgroup").join(file)).ok()?;
        text.trim().parse().ok()
    });
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.as_deref().and_then(total_memory);
    limits.chain(machine).min().unwrap_or(UNKNOWN_LIMIT_BYTES)
}

/// The files that hold the limits of the cgroups in `/proc/self/cgroup`, relative to
/// `/sys/fs/cgroup`. A limit of a parent applies too. In a container the path of the host may not
/// exist; the root is then the own cgroup.
fn cgroup_limit_files(cgroups: &str) -> Vec<String> {
    let mut files = vec!["memory.max".to_owned(), "memory/memory.limit_in_bytes".to_owned()];
    for line in cgroups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let path = path.trim_matches('/');
        let ancestors = Path::new(path)
            .ancestors()
            .filter_map(Path::to_str)
            .filter(|path| !path.is_empty());
        if controllers.is_empty() {
            files.extend(ancestors.map(|path| format!("{path}/memory.max")));
        } else if controllers.split(',').any(|controller| controller == "memory") {
            files.extend(ancestors.map(|path| format!("memory/{path}/memory.limit_in_bytes")));
        }
    }
    files
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
    fn the_limits_of_a_cgroup_and_its_parents_are_read() {
        assert_eq!(
            cgroup_limit_files("0::/kubepods/pod1/app\n")[2..],
            [
                "kubepods/pod1/app/memory.max",
                "kubepods/pod1/memory.max",
                "kubepods/memory.max"
            ]
        );
        assert_eq!(
            cgroup_limit_files("5:cpu,cpuacct:/a\n4:memory:/a\n")[2..],
            ["memory/a/memory.limit_in_bytes"]
        );
        assert_eq!(cgroup_limit_files("no cgroup").len(), 2);
    }

    #[test]
    fn the_memory_of_the_machine_is_in_kibibytes() {
        assert_eq!(total_memory("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
        assert!(memory_limit() > 1 << 20);
    }
}
