//! The limits of connections: part of `[server]`.

use std::time::Duration;

use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(168 * 3600);
/// Lower bound of the timeouts. It is short, so that tests do not have to wait.
const MIN_TIMEOUT: Duration = Duration::from_millis(10);

/// The limits of one connection, and the number of connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionSettings {
    /// Most open connections; TCP and the Unix socket have this many each.
    pub max_connections: usize,
    /// Most open connections of one peer: an address, an IPv6 /64 network, or a user of the Unix
    /// socket.
    pub max_connections_per_peer: usize,
    /// Most concurrent requests of one connection.
    pub max_concurrent_streams: u32,
    /// Most bytes in the headers of one request.
    pub max_header_bytes: u32,
    /// Longest time from accepting a connection to the end of its TLS and HTTP/2 handshakes.
    pub handshake_timeout: Duration,
    /// Longest time without a request, or with responses that the peer does not read.
    pub idle_timeout: Duration,
    /// Time between two pings to a peer.
    pub keepalive_interval: Duration,
    /// Longest time that a peer may take to answer a ping or to accept a byte.
    pub keepalive_timeout: Duration,
    /// Age, give or take a tenth, at which the server asks the peer to reconnect; `None` for no
    /// limit.
    pub max_connection_age: Option<Duration>,
    /// How long the requests of a connection may continue after it has reached its maximum age.
    pub max_connection_age_grace: Duration,
}

pub(in crate::settings) fn read(reader: &mut Reader, max_request_time: Duration) -> ConnectionSettings {
    // The usual soft limit of 1024 open files covers these connections, the models and more.
    let max_connections = reader.size(
        SettingKey::live(
            "server.max_connections",
            KeyScope::Operation,
            "Most open connections. TCP and the Unix socket have this many each.",
        )
        .in_unit("connections"),
        512,
        1..=1 << 20,
    );
    // A proxy or an address translation makes one peer of all callers. The default must not limit
    // them: the choice of the connection that loses its slot already favours peers with few.
    let max_connections_per_peer = reader.size(
        SettingKey::live(
            "server.max_connections_per_peer",
            KeyScope::Operation,
            "Most open connections of one peer: an address, an IPv6 /64 network, or a user of the Unix socket.",
        )
        .with_computed_default("`server.max_connections`")
        .in_unit("connections"),
        max_connections,
        1..=1 << 20,
    );
    let max_connection_age = reader.duration(
        SettingKey::live(
            "server.max_connection_age",
            KeyScope::Operation,
            "Age at which the server asks a peer to reconnect, up to 10 % earlier or later. `\"0s\"` sets no limit.",
        ),
        Duration::ZERO,
        Duration::ZERO..=WEEK,
    );
    ConnectionSettings {
        max_connections,
        max_connections_per_peer,
        max_concurrent_streams: reader.count32(
            SettingKey::live(
                "server.max_concurrent_streams",
                KeyScope::Operation,
                "Most concurrent requests of one connection.",
            )
            .in_unit("requests"),
            1024,
            1..=65_536,
        ),
        max_header_bytes: reader.count32(
            SettingKey::live(
                "server.max_header_bytes",
                KeyScope::Operation,
                "Most bytes in the headers of one request.",
            )
            .in_unit("bytes"),
            16 << 10,
            1024..=1 << 20,
        ),
        handshake_timeout: reader.duration(
            SettingKey::live(
                "server.handshake_timeout",
                KeyScope::Operation,
                "Longest time from accepting a connection to the end of its TLS and HTTP/2 handshakes.",
            ),
            10 * SECOND,
            MIN_TIMEOUT..=HOUR,
        ),
        idle_timeout: reader.duration(
            SettingKey::live(
                "server.idle_timeout",
                KeyScope::Operation,
                "How long a connection stays open without a request, or with responses that its peer does not read.",
            ),
            300 * SECOND,
            MIN_TIMEOUT..=WEEK,
        ),
        keepalive_interval: reader.duration(
            SettingKey::live(
                "server.keepalive_interval",
                KeyScope::Operation,
                "Time between two HTTP/2 pings to a peer.",
            ),
            30 * SECOND,
            MIN_TIMEOUT..=HOUR,
        ),
        keepalive_timeout: reader.duration(
            SettingKey::live(
                "server.keepalive_timeout",
                KeyScope::Operation,
                "Longest time that a peer may take to answer a ping, or to accept a byte of a response.",
            ),
            20 * SECOND,
            MIN_TIMEOUT..=HOUR,
        ),
        max_connection_age: (!max_connection_age.is_zero()).then_some(max_connection_age),
        // Every request that has begun can then finish.
        max_connection_age_grace: reader.duration(
            SettingKey::live(
                "server.max_connection_age_grace",
                KeyScope::Operation,
                "How long the requests of a connection may continue after it has reached its maximum age.",
            )
            .with_computed_default("`server.max_request_time`"),
            max_request_time,
            Duration::ZERO..=HOUR,
        ),
    }
}
