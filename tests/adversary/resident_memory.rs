//! The resident memory of a server.

use crate::support::process::ServerProcess;

/// The resident set in bytes.
pub fn now(server: &ServerProcess) -> usize {
    memory(server, "VmRSS:")
}

/// The largest resident set since the start, in bytes.
pub fn peak(server: &ServerProcess) -> usize {
    memory(server, "VmHWM:")
}

fn memory(server: &ServerProcess, field: &str) -> usize {
    let status = std::fs::read_to_string(server.proc_folder().join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
    kibibytes << 10
}
