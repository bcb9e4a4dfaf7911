//! Observes the frames of one connection in both directions, and decides when it must yield and when
//! it must end.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::authority::AuthorityRewriter;
use super::counts::ConnectionCounts;
use super::frame_account::{FrameAccount, LimitedFrames, RequestReset};
use super::frame_headers::{FrameHeaderReader, FrameKind};
use super::poll_budget::PollBudget;

/// Bytes that a read may take beyond the frame in progress. They bound the small frames that one
/// read delivers, all of which h2 processes in one poll.
const READ_AHEAD: usize = 256;

/// GOAWAY with this code tells a client that it sends too much.
const ENHANCE_YOUR_CALM: u32 = 11;
const NO_ERROR: u32 = 0;

/// Why the frames of the peer ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PeerFault {
    /// Too many frames of one kind.
    Flood(LimitedFrames),
    /// h2 found too many frames, or too large headers.
    FloodFoundByHttp2,
    /// The peer broke the protocol: the error code of HTTP/2.
    Protocol(u32),
}

impl fmt::Display for PeerFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flood(frames) => write!(formatter, "it sent too many {} frames", frames.name()),
            Self::FloodFoundByHttp2 => formatter.write_str("it sent too many frames, or too large headers"),
            Self::Protocol(code) => write!(formatter, "it broke the HTTP/2 protocol (error code {code})"),
        }
    }
}

/// The state that the I/O of a connection shares with its task.
#[derive(Debug, Default)]
pub(super) struct FrameState {
    pub(super) budget: PollBudget,
    fault: OnceLock<PeerFault>,
}

impl FrameState {
    /// Why the frames of the peer end the connection, if they do.
    pub(super) fn fault(&self) -> Option<PeerFault> {
        self.fault.get().copied()
    }
}

/// Observes the bytes of one connection.
#[derive(Debug)]
pub(super) struct FrameMonitor {
    state: Arc<FrameState>,
    counts: Arc<ConnectionCounts>,
    account: FrameAccount,
    received: FrameHeaderReader,
    authorities: AuthorityRewriter,
    sent: FrameHeaderReader,
}

impl FrameMonitor {
    pub(super) fn new(state: Arc<FrameState>, counts: Arc<ConnectionCounts>, account: FrameAccount) -> Self {
        Self {
            state,
            counts,
            account,
            received: FrameHeaderReader::of_client(),
            authorities: AuthorityRewriter::new(),
            sent: FrameHeaderReader::of_server(),
        }
    }

    /// Whether other tasks must run before the next read.
    pub(super) fn must_yield(&self) -> bool {
        self.state.budget.is_spent()
    }

    /// Whether the received bytes end within the headers of a request, or within those of a frame.
    pub(super) fn is_within_headers(&self) -> bool {
        self.received.is_within_headers()
    }

    /// The most bytes of the next read.
    pub(super) fn read_limit(&self) -> usize {
        self.received.remaining_payload().saturating_add(READ_AHEAD)
    }

    /// Records the bytes of a read, and makes the authorities in them acceptable.
    ///
    /// # Errors
    /// The peer sent too many frames of one kind, now or earlier. The connection must end.
    pub(super) fn record_read(&mut self, bytes: &mut [u8], now: Instant) -> Result<(), LimitedFrames> {
        self.authorities.rewrite(bytes);
        let Self {
            state,
            counts,
            account,
            received,
            ..
        } = self;
        if state.budget.is_untouched() {
            // The task has passed on everything that earlier polls read.
            account.begin_requests();
        }
        received.advance(bytes, |frame| {
            state.budget.spend(&frame);
            match account.receive(&frame, now) {
                Ok(None) => {}
                Ok(Some(RequestReset::Begun)) => {
                    counts.begun_resets.fetch_add(1, Relaxed);
                }
                Ok(Some(RequestReset::Unbegun)) => {
                    counts.unbegun_resets.fetch_add(1, Relaxed);
                }
                Err(frames) => {
                    state.fault.get_or_init(|| PeerFault::Flood(frames));
                }
            }
        });
        match state.fault() {
            Some(PeerFault::Flood(frames)) => Err(frames),
            _ => Ok(()),
        }
    }

    /// Records bytes that were written.
    pub(super) fn record_written(&mut self, bytes: &[u8], now: Instant) {
        let Self {
            state, account, sent, ..
        } = self;
        sent.advance(bytes, |frame| {
            if let Err(frames) = account.send(&frame, now) {
                state.fault.get_or_init(|| PeerFault::Flood(frames));
            }
            match (frame.kind, frame.error) {
                (FrameKind::GoAway, ENHANCE_YOUR_CALM) => {
                    state.fault.get_or_init(|| PeerFault::FloodFoundByHttp2);
                }
                (FrameKind::GoAway, error) if error != NO_ERROR => {
                    state.fault.get_or_init(|| PeerFault::Protocol(error));
                }
                _ => {}
            }
        });
    }

    /// The GOAWAY frame that tells the peer of its fault; `None` in the middle of another frame.
    pub(super) fn goaway(&self, frames: LimitedFrames) -> Option<Vec<u8>> {
        if !self.sent.is_between_frames() {
            return None;
        }
        let reason = format!("too many {} frames", frames.name());
        let length = u32::try_from(8 + reason.len()).ok()?.to_be_bytes();
        let mut frame = length.get(1..)?.to_vec();
        frame.extend([7, 0, 0, 0, 0, 0]);
        frame.extend(self.account.newest_stream().to_be_bytes());
        frame.extend(ENHANCE_YOUR_CALM.to_be_bytes());
        frame.extend(reason.bytes());
        Some(frame)
    }
}
