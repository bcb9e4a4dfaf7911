//! Limits the frames of one connection that cost the server more than they cost the sender, as a
//! pure function of the frames and the time.
//!
//! Each kind of frame has a token bucket. Its rate is far above what client libraries need, and
//! frames that the server itself sends add tokens where a library answers them: an HTTP/2 client
//! sends WINDOW_UPDATE and PING frames in proportion to the data that it receives.
//!
//! Requests and DATA frames have no bucket, because their number is the caller's business. The
//! connection merely takes turns with the others ([`super::poll_budget`]).

use std::time::Instant;

use super::frame_headers::{FrameHeader, FrameKind};

/// The kinds of frames that have a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LimitedFrames {
    /// SETTINGS, with their acknowledgements. A client sends one of each, and a few more if it
    /// adapts its windows to the network.
    Settings,
    /// PING, with their acknowledgements. Libraries send one at a time to measure the network, while
    /// data arrives, and a few in a minute to keep the connection alive.
    Ping,
    /// WINDOW_UPDATE. Libraries send two at most for a DATA frame, and some one for each stream.
    WindowUpdate,
    /// DATA frames without data that do not end their stream. No library needs them.
    EmptyData,
    /// RST_STREAM of requests that the server had no time to begin. Such a request costs the server
    /// more than the caller, and never counts as concurrent (CVE-2023-44487).
    UnbegunResets,
    /// Streams that the server must refuse, because they are too many or break the protocol. A
    /// client that has read the server's SETTINGS opens none.
    RefusedStreams,
    /// DATA of streams that have ended. The rest of a request that the server has answered early may
    /// be on its way, up to the window of a stream.
    LateData,
    /// All frames without a meaning here: PRIORITY, unknown types, and RST_STREAM without a request.
    Useless,
}

impl LimitedFrames {
    /// The frames in words, for the log and for the peer.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Settings => "SETTINGS",
            Self::Ping => "PING",
            Self::WindowUpdate => "WINDOW_UPDATE",
            Self::EmptyData => "empty DATA",
            Self::UnbegunResets => "RST_STREAM",
            Self::RefusedStreams => "refused HEADERS",
            Self::LateData => "late DATA",
            Self::Useless => "useless",
        }
    }
}

/// Error codes of HTTP/2.
mod error_code {
    pub(super) const PROTOCOL_ERROR: u32 = 1;
    pub(super) const FLOW_CONTROL_ERROR: u32 = 3;
    pub(super) const STREAM_CLOSED: u32 = 5;
    pub(super) const FRAME_SIZE_ERROR: u32 = 6;
    pub(super) const REFUSED_STREAM: u32 = 7;
}

/// PING frames that each DATA frame of the server allows.
const PINGS_FOR_DATA: f64 = 1.0;
/// WINDOW_UPDATE frames that each DATA frame of the server allows.
const WINDOW_UPDATES_FOR_DATA: f64 = 8.0;
/// WINDOW_UPDATE frames that each response allows.
const WINDOW_UPDATES_FOR_RESPONSE: f64 = 4.0;
/// The smallest limit of resets at once: twice the default of `server.max_concurrent_streams`.
const MIN_RESET_BURST: u32 = 2048;

/// The requests that may be reset at once before they begin. A client may cancel all its requests,
/// and open as many again.
pub(super) fn reset_burst(max_concurrent_streams: u32) -> u32 {
    max_concurrent_streams.saturating_mul(2).max(MIN_RESET_BURST)
}

/// A count that may reach `burst` at once and `per_second` for ever.
#[derive(Debug, Clone, Copy)]
struct TokenBucket {
    tokens: f64,
    burst: f64,
    per_second: f64,
    filled_at: Instant,
}

impl TokenBucket {
    fn new(burst: f64, per_second: f64, now: Instant) -> Self {
        Self {
            tokens: burst,
            burst,
            per_second,
            filled_at: now,
        }
    }

    fn add(&mut self, tokens: f64) {
        self.tokens = (self.tokens + tokens).min(self.burst);
    }

    /// Takes one token; false if there is none.
    fn take(&mut self, now: Instant) -> bool {
        // The clock matters only once the burst is used, and reading it for every frame is cheap.
        self.add(now.saturating_duration_since(self.filled_at).as_secs_f64() * self.per_second);
        self.filled_at = now;
        let has_token = self.tokens >= 1.0;
        if has_token {
            self.tokens -= 1.0;
        }
        has_token
    }
}

/// The account of one connection.
#[derive(Debug)]
pub(super) struct FrameAccount {
    settings: TokenBucket,
    pings: TokenBucket,
    window_updates: TokenBucket,
    empty_data: TokenBucket,
    unbegun_resets: TokenBucket,
    refused_streams: TokenBucket,
    late_data: TokenBucket,
    useless: TokenBucket,
    /// The newest stream of the peer. Its streams have growing numbers.
    newest_stream: u32,
    /// The newest stream whose request the server has had time to begin.
    newest_begun: u32,
    /// Requests without a reset: each allows one.
    resettable: u64,
}

/// A reset of a request by its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestReset {
    /// The server had begun the request.
    Begun,
    /// The reset came together with the request.
    Unbegun,
}

impl FrameAccount {
    /// The account of a connection that begins at `now` with at most `max_concurrent_streams`
    /// requests at a time.
    pub(super) fn new(max_concurrent_streams: u32, now: Instant) -> Self {
        let bucket = |burst, per_second| TokenBucket::new(burst, per_second, now);
        Self {
            settings: bucket(100.0, 10.0),
            pings: bucket(1000.0, 100.0),
            window_updates: bucket(4000.0, 400.0),
            empty_data: bucket(50.0, 5.0),
            // 1000 a second is a control loop of 1 kHz whose every request is late.
            unbegun_resets: bucket(f64::from(reset_burst(max_concurrent_streams)), 1000.0),
            refused_streams: bucket(1000.0, 100.0),
            // 600 requests of 256 KiB, each answered before it has come.
            late_data: bucket(10_000.0, 10_000.0),
            useless: bucket(1000.0, 100.0),
            newest_stream: 0,
            newest_begun: 0,
            resettable: 0,
        }
    }

    /// The newest stream of the peer.
    pub(super) fn newest_stream(&self) -> u32 {
        self.newest_stream
    }

    /// Records that the server has processed all frames that were received.
    pub(super) fn begin_requests(&mut self) {
        self.newest_begun = self.newest_stream;
    }

    /// Records a frame of the peer. Returns the reset of a request, if it is one.
    ///
    /// # Errors
    /// The peer has sent too many such frames.
    pub(super) fn receive(&mut self, frame: &FrameHeader, now: Instant) -> Result<Option<RequestReset>, LimitedFrames> {
        let (bucket, frames) = match frame.kind {
            FrameKind::Headers => {
                if frame.stream > self.newest_stream {
                    self.newest_stream = frame.stream;
                    self.resettable += 1;
                }
                return Ok(None);
            }
            FrameKind::ResetStream if self.resettable > 0 => {
                self.resettable -= 1;
                if frame.stream <= self.newest_begun {
                    return Ok(Some(RequestReset::Begun));
                }
                return if self.unbegun_resets.take(now) {
                    Ok(Some(RequestReset::Unbegun))
                } else {
                    Err(LimitedFrames::UnbegunResets)
                };
            }
            // HTTP/2 itself limits the frames of one block of headers.
            FrameKind::Continuation => return Ok(None),
            FrameKind::Data if frame.length > 0 || frame.ends_stream() => return Ok(None),
            FrameKind::Data => (&mut self.empty_data, LimitedFrames::EmptyData),
            FrameKind::Settings => (&mut self.settings, LimitedFrames::Settings),
            FrameKind::Ping => (&mut self.pings, LimitedFrames::Ping),
            FrameKind::WindowUpdate => (&mut self.window_updates, LimitedFrames::WindowUpdate),
            FrameKind::ResetStream | FrameKind::GoAway | FrameKind::Other => {
                (&mut self.useless, LimitedFrames::Useless)
            }
        };
        if bucket.take(now) { Ok(None) } else { Err(frames) }
    }

    /// Records a frame of the server.
    ///
    /// # Errors
    /// The peer has opened too many streams that the server refuses, or sent too much data that comes
    /// too late.
    pub(super) fn send(&mut self, frame: &FrameHeader, now: Instant) -> Result<(), LimitedFrames> {
        match frame.kind {
            FrameKind::Data => {
                self.pings.add(PINGS_FOR_DATA);
                self.window_updates.add(WINDOW_UPDATES_FOR_DATA);
            }
            FrameKind::Headers => self.window_updates.add(WINDOW_UPDATES_FOR_RESPONSE),
            FrameKind::Ping | FrameKind::Settings if frame.is_acknowledgement() => {}
            // The peer must acknowledge these.
            FrameKind::Ping => self.pings.add(1.0),
            FrameKind::Settings => self.settings.add(1.0),
            FrameKind::ResetStream if is_refusal(frame.error) && !self.refused_streams.take(now) => {
                return Err(LimitedFrames::RefusedStreams);
            }
            FrameKind::ResetStream if frame.error == error_code::STREAM_CLOSED && !self.late_data.take(now) => {
                return Err(LimitedFrames::LateData);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether the server resets a stream with this code because of what the peer sent. A stream that
/// the server has answered early is reset with other codes.
fn is_refusal(error: u32) -> bool {
    matches!(
        error,
        error_code::PROTOCOL_ERROR
            | error_code::FLOW_CONTROL_ERROR
            | error_code::FRAME_SIZE_ERROR
            | error_code::REFUSED_STREAM
    )
}

#[cfg(test)]
mod tests;
