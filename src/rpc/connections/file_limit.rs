//! The limit on open files, which bounds the connections of the process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::connection_table::TableLimits;

/// The files that the process opens beside its connections: models, settings, certificates, the log,
/// the metrics port with its 256 connections, and some for a reload.
const OTHER_FILES: usize = 384;

/// Raises the soft limit on open files to the hard limit. The soft limit protects programs that use
/// `select`, which this one does not.
pub fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => tracing::debug!(current, maximum, "limit on open files raised"),
        Err(error) => tracing::warn!(%error, current, maximum, "limit on open files cannot be raised"),
    }
}

/// The most connections of each of `listeners` that the process has files for. If `max_connections`
/// is larger, this says so in the log.
pub(in crate::rpc) fn connection_capacity(listeners: usize, max_connections: usize) -> usize {
    let Some(files) = getrlimit(Resource::Nofile).current else {
        return usize::MAX;
    };
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let capacity = capacity(files, listeners);
    if max_connections > capacity {
        tracing::warn!(
            files,
            max_connections,
            capacity,
            needed = needed_files(listeners, max_connections),
            "the limit on open files (ulimit -n) is too low for server.max_connections; \
             the server keeps fewer connections open"
        );
    }
    capacity
}

fn needed_files(listeners: usize, max_connections: usize) -> usize {
    TableLimits::max_files(max_connections)
        .saturating_mul(listeners)
        .saturating_add(OTHER_FILES)
}

/// The largest number of connections whose files fit; 1 if none do.
fn capacity(files: usize, listeners: usize) -> usize {
    let (mut fits, mut exceeds) = (1, files.saturating_add(1));
    while exceeds > fits + 1 {
        let middle = fits + (exceeds - fits) / 2;
        match needed_files(listeners, middle) <= files {
            true => fits = middle,
            false => exceeds = middle,
        }
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_capacity_is_the_most_that_fits() {
        assert!(needed_files(1, 512) <= 1024, "the default fits the usual soft limit");
        for files in [0, 100, 384, 400, 1024, 1 << 20] {
            for listeners in [1, 2] {
                let capacity = capacity(files, listeners);
                assert!(needed_files(listeners, capacity + 1) > files);
                assert!(capacity == 1 || needed_files(listeners, capacity) <= files);
            }
        }
    }
}
