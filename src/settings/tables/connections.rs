//! What one connection may use, and when it is closed: part of `[server]`.

use std::time::Duration;

use crate::settings::reader::Reader;

/// The limits of connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionSettings {
    /// Connections at once, at most, by TCP and again by the Unix socket.
    pub max_connections: usize,
    /// Requests of one connection that are under way at once, at most.
    pub max_concurrent_streams: u32,
    /// Bytes of the headers of one request, at most.
    pub max_header_bytes: u32,
    /// How long a new connection may take until TLS and HTTP/2 are agreed on.
    pub handshake_timeout: Duration,
    /// How long a connection may be open without a request, or with nothing but answers that its peer does not take.
    pub idle_timeout: Duration,
    /// How often a peer is asked whether it is still there.
    pub keepalive_interval: Duration,
    /// How long it may take to answer that, or to take a byte of what is written to it.
    pub keepalive_timeout: Duration,
    /// How old a connection may get, give or take a tenth, before its peer is asked to make a new one; `None`: any age.
    pub max_connection_age: Option<Duration>,
    /// How long the requests of a connection that is too old may go on.
    pub max_connection_age_grace: Duration,
}

pub(in crate::settings) fn read(reader: &mut Reader, max_request_time: Duration) -> ConnectionSettings {
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
    // Of a test that does not want to wait.
    let shortest = Duration::from_millis(10);
    // A system's soft limit of 1024 open files holds these, the models and more.
    let max_connections = reader.size("server.max_connections", 512, 1, 1 << 20);
    let narrow = |reader: &mut Reader, key, default: u32, least: u32, most: u32| {
        u32::try_from(reader.count(key, default.into(), least.into(), most.into())).unwrap_or(default)
    };
    let max_connection_age = reader.duration("server.max_connection_age", Duration::ZERO, Duration::ZERO, 168 * hour);
    ConnectionSettings {
        max_connections,
        max_concurrent_streams: narrow(reader, "server.max_concurrent_streams", 1024, 1, 65_536),
        max_header_bytes: narrow(reader, "server.max_header_bytes", 16 << 10, 1024, 1 << 20),
        handshake_timeout: reader.duration("server.handshake_timeout", 10 * second, shortest, hour),
        idle_timeout: reader.duration("server.idle_timeout", 300 * second, shortest, 168 * hour),
        keepalive_interval: reader.duration("server.keepalive_interval", 30 * second, shortest, hour),
        keepalive_timeout: reader.duration("server.keepalive_timeout", 20 * second, shortest, hour),
        max_connection_age: (!max_connection_age.is_zero()).then_some(max_connection_age),
        // Whatever was begun may then be finished.
        max_connection_age_grace: reader.duration(
            "server.max_connection_age_grace",
            max_request_time,
            Duration::ZERO,
            hour,
        ),
    }
}
