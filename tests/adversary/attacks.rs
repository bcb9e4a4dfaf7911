//! The frames of each attack on the thread that serves the wire.

use std::sync::LazyLock;
use std::sync::atomic::Ordering::Relaxed;

use crate::flood::{Frames, Received};
use crate::raw_http2::{flag, frame, kind};
use crate::support::gzip::gzip_message;

/// The bytes of one write, about.
const CHUNK: usize = 16 << 10;
/// Requests that an attacker keeps open: below the server's limit of concurrent streams.
const OPEN_REQUESTS: u64 = 900;
const PREDICT: &str = "/certimix.v1.MixedClassifier/Predict";
pub const PREDICT_STREAM: &str = "/certimix.v1.MixedClassifier/PredictStream";
const HEALTH: &str = "/grpc.health.v1.Health/Check";
const MODEL_INFO: &str = "/certimix.v1.MixedClassifier/GetModelInfo";

/// SETTINGS with one entry.
pub fn settings(key: u16, value: u32) -> Vec<u8> {
    let mut payload = key.to_be_bytes().to_vec();
    payload.extend(value.to_be_bytes());
    frame(kind::SETTINGS, flag::NONE, 0, &payload)
}

pub fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, flag::NONE, stream, &bytes.to_be_bytes())
}

pub fn reset(stream: u32) -> Vec<u8> {
    // The error code is CANCEL.
    frame(kind::RST_STREAM, flag::NONE, stream, &8_u32.to_be_bytes())
}

/// Makes request headers for one path. After the first request they take 6 bytes, by HPACK's
/// dynamic table.
pub struct Requests {
    headers: Vec<(&'static str, &'static str)>,
    next_stream: u32,
}

impl Requests {
    pub fn new(path: &'static str) -> Self {
        let headers = vec![
            (":path", path),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ];
        Self {
            headers,
            next_stream: 1,
        }
    }

    /// Requests whose messages may be compressed.
    fn with_gzip(path: &'static str) -> Self {
        let mut requests = Self::new(path);
        requests.headers.push(("grpc-encoding", "gzip"));
        requests
    }

    /// The HEADERS frame of the next request, and its stream.
    pub fn next(&mut self, flags: u8) -> (u32, Vec<u8>) {
        let stream = self.next_stream;
        self.next_stream += 2;
        // Indexed: ":method: POST" and ":scheme: http".
        let mut block = vec![0x83, 0x86];
        if stream == 1 {
            for (name, value) in &self.headers {
                block.push(0x40);
                for text in [name, value] {
                    block.push(u8::try_from(text.len()).unwrap());
                    block.extend(text.bytes());
                }
            }
        } else {
            // The newest entry of the table is the first.
            let entries = u8::try_from(self.headers.len()).unwrap();
            block.extend((62..62 + entries).rev().map(|index| 0x80 | index));
        }
        (stream, frame(kind::HEADERS, flag::END_HEADERS | flags, stream, &block))
    }
}

/// Allows the server to send gigabytes.
pub fn endless_windows() -> Vec<u8> {
    let mut bytes = settings(4, i32::MAX.unsigned_abs());
    bytes.extend(window_update(0, 0x7000_0000));
    bytes
}

/// The same frames for ever, after `first`.
fn repeat(first: Vec<u8>, frames: &[u8]) -> Frames {
    let chunk = frames.repeat((CHUNK / frames.len()).max(1));
    let mut first = Some(first);
    Box::new(move |_| first.take().unwrap_or_else(|| chunk.clone()))
}

/// Requests of `path` with `body`, at most [`OPEN_REQUESTS`] at a time.
fn requests(path: &'static str, body: &'static [u8]) -> Frames {
    requests_of(Requests::new(path), body)
}

fn requests_of(mut requests: Requests, body: &'static [u8]) -> Frames {
    let mut begun = 0;
    let mut first = Some(endless_windows());
    Box::new(move |received: &Received| {
        // A stream may end twice: by its answer, and by a reset of the rest of its request.
        let ended = received.ended_streams.load(Relaxed);
        let open = u64::saturating_sub(begun, ended);
        let mut bytes = first.take().unwrap_or_default();
        for _ in open..OPEN_REQUESTS {
            let (stream, headers) = requests.next(flag::NONE);
            bytes.extend(headers);
            bytes.extend(frame(kind::DATA, flag::END_STREAM, stream, body));
            begun += 1;
            if bytes.len() >= CHUNK {
                break;
            }
        }
        bytes
    })
}

/// One request of `path` whose body repeats `data` in frames of at most `frame_bytes`.
fn stream_of(path: &'static str, data: &'static [u8], frame_bytes: usize) -> Frames {
    stream_of_request(Requests::new(path), data, frame_bytes)
}

fn stream_of_request(mut requests: Requests, data: &'static [u8], frame_bytes: usize) -> Frames {
    let mut is_first = true;
    let mut frames = Vec::new();
    let mut sent = 0;
    let body = data.repeat((frame_bytes / data.len()).max(1));
    for piece in body.chunks(frame_bytes) {
        frames.push((piece.len(), frame(kind::DATA, flag::NONE, 1, piece)));
    }
    let mut next = 0;
    Box::new(move |received: &Received| {
        if std::mem::take(&mut is_first) {
            let mut bytes = endless_windows();
            bytes.extend(requests.next(flag::NONE).1);
            return bytes;
        }
        let window = received
            .stream_window
            .load(Relaxed)
            .min(received.connection_window.load(Relaxed));
        let mut bytes = Vec::new();
        while bytes.len() < CHUNK {
            let (length, frame) = &frames[next % frames.len()];
            if sent + i64::try_from(*length).unwrap() > window {
                break;
            }
            sent += i64::try_from(*length).unwrap();
            next += 1;
            bytes.extend(frame);
        }
        bytes
    })
}

const EMPTY_MESSAGE: &[u8] = &[0, 0, 0, 0, 0];

pub fn nothing() -> Frames {
    Box::new(|_| Vec::new())
}

pub fn empty_messages() -> Frames {
    stream_of(PREDICT_STREAM, EMPTY_MESSAGE, 16_380)
}

pub fn one_byte_data() -> Frames {
    stream_of(PREDICT_STREAM, EMPTY_MESSAGE, 1)
}

pub fn one_message_a_frame() -> Frames {
    stream_of(PREDICT_STREAM, EMPTY_MESSAGE, 5)
}

/// A message of 4 kB that unpacks to 4 MiB, the most that is accepted.
static LARGE_BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| gzip_message(&vec![0; 4 << 20]));
/// A message of 50 bytes that unpacks to 16 KiB, the most that is unpacked without a turn.
static SMALL_BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| gzip_message(&vec![0; 16 << 10]));

pub fn gzip_bombs() -> Frames {
    requests_of(Requests::with_gzip(PREDICT), &LARGE_BOMB)
}

pub fn small_gzip_bombs() -> Frames {
    requests_of(Requests::with_gzip(PREDICT), &SMALL_BOMB)
}

pub fn streamed_gzip_bombs() -> Frames {
    stream_of_request(Requests::with_gzip(PREDICT_STREAM), &LARGE_BOMB, 16_380)
}

pub fn small_streamed_gzip_bombs() -> Frames {
    stream_of_request(Requests::with_gzip(PREDICT_STREAM), &SMALL_BOMB, 16_380)
}

pub fn settings_frames() -> Frames {
    // Every other frame changes the window of all streams.
    let frames = [settings(4, 1 << 20), settings(4, 1 << 16)].concat();
    repeat(Vec::new(), &frames)
}

pub fn settings_beside_open_streams() -> Frames {
    let mut requests = Requests::new(PREDICT);
    let open = (0..OPEN_REQUESTS).flat_map(|_| requests.next(flag::NONE).1).collect();
    let frames = [settings(4, 1 << 20), settings(4, 1 << 16)].concat();
    repeat(open, &frames)
}

pub fn settings_acks() -> Frames {
    repeat(Vec::new(), &frame(kind::SETTINGS, flag::ACK, 0, &[]))
}

pub fn pings() -> Frames {
    repeat(Vec::new(), &frame(kind::PING, flag::NONE, 0, b"certimix"))
}

pub fn ping_acks() -> Frames {
    repeat(Vec::new(), &frame(kind::PING, flag::ACK, 0, b"certimix"))
}

pub fn empty_data() -> Frames {
    let first = Requests::new(PREDICT_STREAM).next(flag::NONE).1;
    repeat(first, &frame(kind::DATA, flag::NONE, 1, &[]))
}

pub fn padded_data() -> Frames {
    let first = Requests::new(PREDICT_STREAM).next(flag::NONE).1;
    // Padding of 255 bytes and no data: PADDED.
    let mut payload = vec![255];
    payload.extend([0; 255]);
    repeat(first, &frame(kind::DATA, 8, 1, &payload))
}

pub fn window_updates() -> Frames {
    repeat(Vec::new(), &window_update(0, 1))
}

pub fn stream_window_updates() -> Frames {
    let first = Requests::new(PREDICT_STREAM).next(flag::NONE).1;
    repeat(first, &window_update(1, 1))
}

pub fn priorities() -> Frames {
    repeat(Vec::new(), &frame(2, flag::NONE, 1, &[0, 0, 0, 0, 1]))
}

pub fn unknown_frames() -> Frames {
    repeat(Vec::new(), &frame(0x99, flag::NONE, 0, &[]))
}

pub fn rapid_resets() -> Frames {
    let mut requests = Requests::new(PREDICT);
    Box::new(move |_| {
        let mut bytes = Vec::new();
        while bytes.len() < CHUNK {
            let (stream, headers) = requests.next(flag::NONE);
            bytes.extend(headers);
            bytes.extend(reset(stream));
        }
        bytes
    })
}

/// Resets of streams that have long ended.
pub fn late_resets() -> Frames {
    let mut requests = Requests::new("/nothing");
    let mut first = requests.next(flag::END_STREAM).1;
    first.extend(reset(1));
    repeat(first, &reset(1))
}

/// DATA of a stream that has long ended.
pub fn late_data() -> Frames {
    let first = Requests::new("/nothing").next(flag::END_STREAM).1;
    repeat(first, &frame(kind::DATA, flag::NONE, 1, b"x"))
}

pub fn refused_requests() -> Frames {
    let mut requests = Requests::new(PREDICT);
    Box::new(move |_| {
        let mut bytes = Vec::new();
        while bytes.len() < CHUNK {
            bytes.extend(requests.next(flag::NONE).1);
        }
        bytes
    })
}

pub fn continuations() -> Frames {
    let mut requests = Requests::new(PREDICT);
    Box::new(move |_| {
        let (stream, mut bytes) = requests.next(flag::NONE);
        // Without END_HEADERS.
        bytes[4] = 0;
        while bytes.len() < CHUNK {
            bytes.extend(frame(kind::CONTINUATION, flag::NONE, stream, &[]));
        }
        bytes
    })
}

/// Requests whose 16 kB of headers refer to one value of 4 kB each byte.
pub fn header_bombs() -> Frames {
    let mut requests = Requests::new(PREDICT);
    let mut is_first = true;
    let mut next = 1;
    Box::new(move |_| {
        let mut bytes = Vec::new();
        if std::mem::take(&mut is_first) {
            let mut block = vec![0x83, 0x86, 0x40, 1, b'x', 0x7f, 0x81, 0x1e];
            block.extend([b'y'; 127 + 0xf01]);
            let (stream, _) = requests.next(flag::NONE);
            bytes.extend(frame(
                kind::HEADERS,
                flag::END_HEADERS | flag::END_STREAM,
                stream,
                &block,
            ));
            next = 3;
        }
        let block = [&[0x83, 0x86][..], &[0x80 | 62].repeat(16_000)].concat();
        bytes.extend(frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, next, &block));
        next += 2;
        bytes
    })
}

pub fn unknown_paths() -> Frames {
    requests("/nothing.Here/AtAll", EMPTY_MESSAGE)
}

pub fn invalid_requests() -> Frames {
    requests(PREDICT, EMPTY_MESSAGE)
}

pub fn health_checks() -> Frames {
    requests(HEALTH, EMPTY_MESSAGE)
}

pub fn model_infos() -> Frames {
    requests(MODEL_INFO, EMPTY_MESSAGE)
}
