//! Sends frames as fast as the server takes them, over connections that are opened again when the
//! server ends them.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::raw_http2::{flag, frame, kind};
use crate::support::raw_connection::HTTP2_PREFACE;
use crate::support::server::TEST_TIMEOUT;

/// How long a thread waits where it has to wait, before it checks whether the flood has ended.
const POLL_INTERVAL: Duration = Duration::from_micros(200);
/// The pause between two connections of one attacker, as a network has it.
const RECONNECT_DELAY: Duration = Duration::from_millis(5);

/// What the server has sent on a connection.
#[derive(Debug)]
pub struct Received {
    /// Streams that the server has ended.
    pub ended_streams: AtomicU64,
    /// Bytes that the flow control of stream 1 and of the connection allow.
    pub stream_window: AtomicI64,
    pub connection_window: AtomicI64,
    unacknowledged_settings: AtomicU64,
    is_closed: AtomicBool,
}

/// Makes the next frames of a connection; none to wait for the server.
pub type Frames = Box<dyn FnMut(&Received) -> Vec<u8> + Send>;

/// Begins the frames of a connection.
pub type Attack = fn() -> Frames;

/// The results of a flood.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FloodResults {
    /// Connections that were opened.
    pub opened: usize,
    /// Connections that the server ended.
    pub ended: usize,
    /// The error codes of the received GOAWAY frames, with their counts.
    pub goaways: BTreeMap<u32, usize>,
    /// Bytes that the server took.
    pub bytes: usize,
    /// Streams that the server ended.
    pub ended_streams: u64,
}

/// A flood in progress.
pub struct Flood {
    stopped: Arc<AtomicBool>,
    /// Connections that the server has ended.
    ended: Arc<AtomicUsize>,
    attackers: Vec<JoinHandle<FloodResults>>,
}

impl Flood {
    /// Starts `connections` attackers, each with the frames that `frames` makes for a connection.
    pub fn start(address: SocketAddr, connections: usize, frames: Attack) -> Self {
        let (stopped, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let attackers = (0..connections)
            .map(|_| {
                let (stopped, ended) = (Arc::clone(&stopped), Arc::clone(&ended));
                std::thread::spawn(move || attack(address, frames, &stopped, &ended))
            })
            .collect();
        Self {
            stopped,
            ended,
            attackers,
        }
    }

    /// Waits until the server has ended `connections` of the flood.
    pub async fn wait_until_ended(&self, connections: usize) {
        let ended = async {
            while self.ended.load(Relaxed) < connections {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let result = tokio::time::timeout(TEST_TIMEOUT, ended).await;
        result.expect("the server does not end the flood");
    }

    /// Stops, and returns the sums over all attackers.
    pub fn stop(self) -> FloodResults {
        self.stopped.store(true, Relaxed);
        let mut sum = FloodResults::default();
        for attacker in self.attackers {
            let results = attacker.join().unwrap();
            sum.opened += results.opened;
            sum.ended += results.ended;
            sum.bytes += results.bytes;
            sum.ended_streams += results.ended_streams;
            for (code, count) in results.goaways {
                *sum.goaways.entry(code).or_default() += count;
            }
        }
        sum
    }
}

fn attack(address: SocketAddr, frames: Attack, stopped: &AtomicBool, ended: &AtomicUsize) -> FloodResults {
    // Attackers have machines of their own. Here they must not take the processor from the honest
    // caller, whose answers are the measure.
    let _ = rustix::process::nice(5);
    let mut results = FloodResults::default();
    while !stopped.load(Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address) else {
            std::thread::sleep(RECONNECT_DELAY);
            continue;
        };
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        results.opened += 1;
        let received = Arc::new(Received {
            ended_streams: AtomicU64::new(0),
            stream_window: AtomicI64::new(0xffff),
            connection_window: AtomicI64::new(0xffff),
            unacknowledged_settings: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        });
        let reader = {
            let (stream, received) = (stream.try_clone().unwrap(), Arc::clone(&received));
            std::thread::spawn(move || read_frames(stream, &received))
        };
        let mut next = frames();
        let mut is_open = send(&mut stream, HTTP2_PREFACE, stopped, &mut results.bytes);
        while is_open && !stopped.load(Relaxed) && !received.is_closed.load(Relaxed) {
            // The windows that a SETTINGS frame allows are valid once it is acknowledged.
            let mut bytes = next(&received);
            for _ in 0..received.unacknowledged_settings.swap(0, Relaxed) {
                bytes.splice(0..0, frame(kind::SETTINGS, flag::ACK, 0, &[]));
            }
            if bytes.is_empty() {
                std::thread::sleep(POLL_INTERVAL);
            }
            is_open = send(&mut stream, &bytes, stopped, &mut results.bytes);
        }
        let was_ended = !is_open || received.is_closed.load(Relaxed);
        let _ = stream.shutdown(Shutdown::Both);
        for code in reader.join().unwrap() {
            *results.goaways.entry(code).or_default() += 1;
        }
        results.ended_streams += received.ended_streams.load(Relaxed);
        if was_ended {
            results.ended += 1;
            ended.fetch_add(1, Relaxed);
            std::thread::sleep(RECONNECT_DELAY);
        }
    }
    results
}

/// Returns false if the connection has ended.
fn send(stream: &mut TcpStream, mut bytes: &[u8], stopped: &AtomicBool, sent: &mut usize) -> bool {
    while !bytes.is_empty() && !stopped.load(Relaxed) {
        match stream.write(bytes) {
            Ok(0) => return false,
            Ok(written) => {
                *sent += written;
                bytes = &bytes[written..];
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return false,
        }
    }
    true
}

/// Reads to the end of the connection, and returns the error codes of GOAWAY frames.
fn read_frames(mut stream: TcpStream, received: &Received) -> Vec<u32> {
    let _ = rustix::process::nice(5);
    let mut goaways = Vec::new();
    let mut buffer = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        buffer.extend_from_slice(&chunk[..read]);
        let mut at = 0;
        while let Some(header) = buffer.get(at..at + 9) {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
            let (kind, flags) = (header[3], header[4]);
            let id = u32::from_be_bytes(header[5..9].try_into().unwrap());
            let Some(payload) = buffer.get(at + 9..at + 9 + length) else {
                break;
            };
            let word = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
            match kind {
                kind::WINDOW_UPDATE if id == 0 => {
                    received.connection_window.fetch_add(i64::from(word(0)), Relaxed);
                }
                kind::WINDOW_UPDATE if id == 1 => {
                    received.stream_window.fetch_add(i64::from(word(0)), Relaxed);
                }
                kind::SETTINGS if flags & flag::ACK == 0 => {
                    received.unacknowledged_settings.fetch_add(1, Relaxed);
                    // SETTINGS_INITIAL_WINDOW_SIZE
                    for at in (0..payload.len()).step_by(6).filter(|at| payload[at + 1] == 4) {
                        let size = i64::from(word(at + 2));
                        received.stream_window.fetch_add(size - 0xffff, Relaxed);
                    }
                }
                kind::GOAWAY => goaways.push(word(4)),
                kind::RST_STREAM => {
                    received.ended_streams.fetch_add(1, Relaxed);
                }
                kind::DATA | kind::HEADERS if flags & flag::END_STREAM != 0 => {
                    received.ended_streams.fetch_add(1, Relaxed);
                }
                _ => {}
            }
            at += 9 + length;
        }
        buffer.drain(..at);
    }
    received.is_closed.store(true, Relaxed);
    goaways
}
