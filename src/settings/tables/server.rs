//! `[server]`: the listeners, the size of requests, and the drain.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::connections::{self, ConnectionSettings};
use crate::domain::MessageLimits;
use crate::settings::memory_limit::memory_limit;
use crate::settings::processor_count::processor_count;
use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const MILLISECOND: Duration = Duration::from_millis(1);

/// Most threads that read requests and write responses.
const MAX_THREADS: usize = 256;

/// `[server]`, without the access control.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// TCP address of the gRPC listener.
    pub listen: SocketAddr,
    /// Path of an additional Unix socket.
    pub unix_socket: Option<PathBuf>,
    /// Permissions of the socket's file.
    pub unix_socket_mode: u32,
    /// Whether the TCP listener accepts connections while the models load.
    pub accept_before_ready: bool,
    /// Threads that read requests and write responses.
    pub threads: usize,
    /// Most inputs in one request.
    pub max_inputs: usize,
    /// Most bytes in one request.
    pub max_message_bytes: usize,
    /// Whether callers may compress their messages with gzip.
    pub accept_gzip: bool,
    /// Most bytes of all requests that are received and not answered.
    pub request_memory_bytes: usize,
    /// Most concurrent requests of one `PredictStream`.
    pub stream_window: usize,
    /// Longest time that a request may take.
    pub max_request_time: Duration,
    /// How long the server stays open after health checks report that it stops.
    pub drain_delay: Duration,
    /// How long requests in flight may then take to finish.
    pub drain_timeout: Duration,
    /// The limits of connections.
    pub connections: ConnectionSettings,
}

impl ServerSettings {
    /// The limits on messages.
    #[must_use]
    pub fn message_limits(&self) -> MessageLimits {
        MessageLimits::new(self.max_message_bytes)
    }
}

pub(super) const LISTEN: SettingKey = SettingKey::restart_only(
    "server.listen",
    KeyScope::Operation,
    "TCP address of the gRPC listener.",
);

pub(in crate::settings) fn read(reader: &mut Reader) -> ServerSettings {
    let listen = reader.text(
        LISTEN,
        SocketAddr::from(([127, 0, 0, 1], 50051)),
        "an address such as \"127.0.0.1:50051\"",
        |text| text.parse().ok(),
    );
    let unix_socket = reader.optional_socket(SettingKey::restart_only(
        "server.unix_socket",
        KeyScope::Operation,
        "Path of a Unix socket on which the server also listens.",
    ));
    let unix_socket_mode = reader.permissions(
        SettingKey::restart_only(
            "server.unix_socket_mode",
            KeyScope::Operation,
            "Permissions of the socket's file. They alone decide which users can connect to it.",
        ),
        0o600,
    );
    let accept_before_ready = reader.flag(
        SettingKey::restart_only(
            "server.accept_before_ready",
            KeyScope::Operation,
            "Accepts TCP connections while the models load; requests then end with `UNAVAILABLE`. With `false` the operating \
             system refuses connections until the server is ready, for load balancers without health checks, such as nginx.",
        ),
        true,
    );
    // These threads do little beside inference. Where processors are few, more of them only
    // displace the executors.
    let threads = reader.size(
        SettingKey::restart_only(
            "server.threads",
            KeyScope::Operation,
            "Threads that read requests and write responses.",
        )
        .in_unit("threads")
        .with_computed_default("a quarter of the processors, at least 1"),
        (processor_count() / 4).clamp(1, MAX_THREADS),
        1..=MAX_THREADS,
    );
    let max_request_time = reader.duration(
        SettingKey::live(
            "server.max_request_time", KeyScope::Answers,
            "Longest time that a request may take. It is the deadline of a request without one, and it caps longer deadlines.",
        ),
        30 * SECOND,
        MILLISECOND..=HOUR,
    );
    let max_message_bytes = reader.size(
        SettingKey::live(
            "server.max_message_bytes",
            KeyScope::Operation,
            "Most bytes in one request message.",
        )
        .in_unit("bytes"),
        4 << 20,
        1024..=1 << 30,
    );
    // On by default: clients of Triton and KServe may be configured to compress, and an unpacked message
    // has the same bounds as any other.
    let accept_gzip = reader.flag(
        SettingKey::live(
            "server.accept_gzip", KeyScope::Operation,
            "Accepts messages that callers compress with gzip. They count unpacked, for `server.max_message_bytes` too. \
             Answers are not compressed.",
        ),
        true,
    );
    let request_memory_bytes = read_request_memory(reader, max_message_bytes);
    ServerSettings {
        listen,
        unix_socket,
        unix_socket_mode,
        accept_before_ready,
        threads,
        max_inputs: reader.size(SettingKey::live("server.max_inputs", KeyScope::Operation, "Most inputs in one request.").in_unit("inputs"), 64, 1..=65_536),
        max_message_bytes,
        accept_gzip,
        request_memory_bytes,
        stream_window: reader.size(
            SettingKey::live(
                "server.stream_window", KeyScope::Operation,
                "Most concurrent requests of one `PredictStream`. The server reads the next request once one of them is answered.",
            ).in_unit("requests"),
            16,
            1..=1024,
        ),
        max_request_time,
        drain_delay: reader.duration(
            SettingKey::live(
                "server.drain_delay", KeyScope::Operation,
                "How long the server still accepts requests after a signal to stop, while health checks report `NOT_SERVING`.",
            ),
            Duration::ZERO,
            Duration::ZERO..=HOUR,
        ),
        drain_timeout: reader.duration(
            SettingKey::live(
                "server.drain_timeout", KeyScope::Operation,
                "How long requests in flight may take to finish after the listeners have closed.",
            ),
            10 * SECOND,
            MILLISECOND..=HOUR,
        ),
        connections: connections::read(reader, max_request_time),
    }
}

/// The part of the process's memory limit that requests may take by default.
const REQUEST_MEMORY_PART: usize = 4;

/// The fewest largest messages that the memory of requests must hold: half of it is for complete
/// requests, one caller gets half of that, and a message counts up to three times when it is
/// decoded.
const MIN_LARGEST_MESSAGES: usize = 16;

/// A request of any size also needs memory for its headers, its state and its answer.
const MIN_REQUEST_MEMORY_BYTES: usize = 4 << 20;

fn read_request_memory(reader: &mut Reader, max_message_bytes: usize) -> usize {
    let least = max_message_bytes
        .saturating_mul(MIN_LARGEST_MESSAGES)
        .max(MIN_REQUEST_MEMORY_BYTES);
    let most = 1 << 40;
    let key = SettingKey::live(
        "server.request_memory_bytes",
        KeyScope::Operation,
        "Most memory of all requests that are received and not answered, with their answers. At least 16 times \
         `server.max_message_bytes`.",
    );
    reader.size(
        key.in_unit("bytes").with_computed_default(
            "a quarter of the memory limit of the process (cgroup, or the machine's memory), at least 16 times \
             `server.max_message_bytes`",
        ),
        (memory_limit() / REQUEST_MEMORY_PART).clamp(least, most),
        least..=most,
    )
}
