//! The files in which the kernel states the limits of the process's cgroups.

use std::path::{Path, PathBuf};

const MOUNT: &str = "/sys/fs/cgroup";

/// The names of the file that holds one limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct LimitFile {
    /// The controller, such as `memory`.
    pub(super) controller: &'static str,
    /// The file in a cgroup of version 2.
    pub(super) version_2: &'static str,
    /// The file in a cgroup of version 1.
    pub(super) version_1: &'static str,
}

/// The files that may hold the limit, given the text of `/proc/self/cgroup`. A limit of a parent
/// applies too. In a container the path of the host may not exist; the root is then the own cgroup.
pub(super) fn limit_files(cgroups: &str, limit: LimitFile) -> Vec<PathBuf> {
    let LimitFile {
        controller,
        version_2,
        version_1,
    } = limit;
    let mut files = vec![version_2.to_owned(), format!("{controller}/{version_1}")];
    for line in cgroups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let ancestors = Path::new(path.trim_matches('/'))
            .ancestors()
            .filter_map(Path::to_str)
            .filter(|path| !path.is_empty());
        if controllers.is_empty() {
            files.extend(ancestors.map(|path| format!("{path}/{version_2}")));
        } else if controllers.split(',').any(|one| one == controller) {
            files.extend(ancestors.map(|path| format!("{controller}/{path}/{version_1}")));
        }
    }
    files.into_iter().map(|file| Path::new(MOUNT).join(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cgroups: &str) -> Vec<String> {
        let memory = LimitFile {
            controller: "memory",
            version_2: "memory.max",
            version_1: "memory.limit_in_bytes",
        };
        let files = limit_files(cgroups, memory);
        files
            .iter()
            .map(|file| file.strip_prefix(MOUNT).unwrap().display().to_string())
            .collect()
    }

    #[test]
    fn the_limits_of_a_cgroup_and_its_parents_are_read() {
        assert_eq!(
            found("0::/kubepods/pod1/app\n")[2..],
            [
                "kubepods/pod1/app/memory.max",
                "kubepods/pod1/memory.max",
                "kubepods/memory.max"
            ]
        );
        assert_eq!(
            found("5:cpu,cpuacct:/a\n4:memory:/a\n")[2..],
            ["memory/a/memory.limit_in_bytes"]
        );
        assert_eq!(found("no cgroup"), ["memory.max", "memory/memory.limit_in_bytes"]);
    }
}
