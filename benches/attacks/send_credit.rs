//! The bytes that the server lets a connection send: the windows of HTTP/2's flow control.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::attack::Session;
use super::raw_http2::{Frame, flag, kind};

/// The window of a connection and of its streams before any SETTINGS.
const INITIAL_WINDOW: i64 = 65_535;
const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 4;
/// The interval at which a waiting sender looks whether it must stop.
const STOP_POLL: Duration = Duration::from_millis(20);

/// The windows of one connection, which a reader of frames updates and senders wait for.
#[derive(Debug)]
pub struct SendCredit {
    windows: Mutex<Windows>,
    changed: Condvar,
}

#[derive(Debug)]
struct Windows {
    connection: i64,
    initial: i64,
    /// The windows of the open streams, relative to `initial`.
    streams: BTreeMap<u32, i64>,
    closed: bool,
}

impl SendCredit {
    pub fn new() -> Self {
        Self {
            windows: Mutex::new(Windows {
                connection: INITIAL_WINDOW,
                initial: INITIAL_WINDOW,
                streams: BTreeMap::new(),
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Opens a stream.
    pub fn open(&self, stream: u32) {
        self.lock().streams.insert(stream, 0);
    }

    /// Whether the server has ended `stream`, or the connection.
    pub fn has_ended(&self, stream: u32) -> bool {
        let windows = self.lock();
        windows.closed || !windows.streams.contains_key(&stream)
    }

    /// Takes credit for 1 to `most` bytes of `stream`, and waits for it. 0 means that the attack is
    /// stopped or the stream has ended. Fails once the server has closed the connection.
    pub fn take(&self, stream: u32, most: usize, session: &Session) -> io::Result<usize> {
        let mut windows = self.lock();
        loop {
            if windows.closed {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let Some(relative) = windows.streams.get(&stream).copied() else {
                return Ok(0);
            };
            if session.is_stopped() {
                return Ok(0);
            }
            let free = windows.connection.min(windows.initial + relative);
            let free = usize::try_from(free).unwrap_or(0).min(most);
            if free > 0 {
                let used = i64::try_from(free).unwrap_or(i64::MAX);
                windows.connection -= used;
                windows.streams.insert(stream, relative - used);
                return Ok(free);
            }
            windows = self.wait(windows);
        }
    }

    /// Waits until `stream` has ended or the attack is stopped. Fails once the server has closed
    /// the connection.
    pub fn wait_for_end(&self, stream: u32, session: &Session) -> io::Result<()> {
        let mut windows = self.lock();
        while windows.streams.contains_key(&stream) && !session.is_stopped() {
            if windows.closed {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            windows = self.wait(windows);
        }
        Ok(())
    }

    /// Applies a frame that the server has sent.
    pub fn apply(&self, frame: &Frame) {
        let mut windows = self.lock();
        match frame.kind {
            kind::SETTINGS if frame.flags & flag::ACK == 0 => {
                for setting in frame.payload.chunks_exact(6) {
                    if let [high, low, value @ ..] = setting
                        && u16::from_be_bytes([*high, *low]) == SETTINGS_INITIAL_WINDOW_SIZE
                    {
                        windows.initial = be_bytes(value);
                    }
                }
            }
            kind::WINDOW_UPDATE if frame.stream == 0 => windows.connection += be_bytes(&frame.payload),
            kind::WINDOW_UPDATE => {
                if let Some(window) = windows.streams.get_mut(&frame.stream) {
                    *window += be_bytes(&frame.payload);
                }
            }
            kind::RST_STREAM => {
                windows.streams.remove(&frame.stream);
            }
            kind::HEADERS | kind::DATA if frame.flags & flag::END_STREAM != 0 => {
                windows.streams.remove(&frame.stream);
            }
            kind::GOAWAY => windows.closed = true,
            _ => {}
        }
        self.changed.notify_all();
    }

    /// The server has closed the connection.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, windows: MutexGuard<'a, Windows>) -> MutexGuard<'a, Windows> {
        let waited = self.changed.wait_timeout(windows, STOP_POLL);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A number of 31 bits, big-endian. 0 if it is malformed.
fn be_bytes(bytes: &[u8]) -> i64 {
    let four: [u8; 4] = bytes.try_into().unwrap_or_default();
    i64::from(u32::from_be_bytes(four) & 0x7fff_ffff)
}
