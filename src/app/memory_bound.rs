//! The most memory that callers can make a server take, as a sum of its bounds.

use crate::rpc;
use crate::settings::ServerSettings;
use crate::telemetry;

/// The memory that the allocator keeps beside what is in use, as a part of it: free space between
/// objects, and pages that it has not given back yet.
const ALLOCATOR_PART: usize = 4;

/// One bound on the memory that callers can make a server take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPart {
    /// What the memory holds, with the settings that bound it, in Markdown.
    pub name: &'static str,
    /// The most bytes.
    pub bytes: usize,
}

/// Every bound on the memory that callers can make a server take, beside what the process takes once
/// its models are loaded. Their sum is the worst case.
#[must_use]
pub fn memory_bound(server: &ServerSettings) -> Vec<MemoryPart> {
    let connections = &server.connections;
    let listeners = 1 + usize::from(server.unix_socket.is_some());
    let open = connections.max_connections.saturating_mul(listeners);
    let streams = usize::try_from(connections.max_concurrent_streams).unwrap_or(usize::MAX);
    let mut parts = vec![
        MemoryPart {
            name: "requests and their answers: `server.request_memory_bytes`",
            bytes: server.request_memory_bytes,
        },
        MemoryPart {
            name: "connections: `server.max_connections` for each listener",
            bytes: open.saturating_mul(rpc::connection_bytes(connections)),
        },
        MemoryPart {
            name: "requests that were refused and whose response is not read: connections × `server.max_concurrent_streams`",
            bytes: open.saturating_mul(streams).saturating_mul(rpc::REFUSED_REQUEST_BYTES),
        },
        MemoryPart {
            name: "lines of the log, spans, and observations of shadow candidates that wait",
            bytes: telemetry::QUEUED_BYTES.saturating_add(crate::classifier::MAX_SHADOW_QUEUE_BYTES),
        },
        MemoryPart {
            name: "connections of the metrics port",
            bytes: telemetry::metrics::ENDPOINT_BYTES,
        },
    ];
    let used = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.bytes));
    parts.push(MemoryPart {
        name: "the allocator: a quarter of the above",
        bytes: used / ALLOCATOR_PART,
    });
    parts
}
