//! Bounds the frames that a connection processes before other tasks have their turn.
//!
//! h2 processes frames as long as there are bytes to read. On few processors one thread serves all
//! connections, and a peer that sends faster than the thread reads would keep it. The I/O of a
//! connection therefore stops reading once the budget of a poll is spent. The task then goes to the
//! end of the runtime's queue, and the requests that it has begun run before its next frames.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::frame_headers::{FrameHeader, FrameKind};

/// The cost of the frames that one poll may process. A frame of the cheapest kind costs 1, which is
/// about a microsecond; the rest is measured in it.
const BUDGET: u32 = 32;
/// The cost of a request, whose handler runs next. A poll therefore begins about 4 requests.
const REQUEST_COST: u32 = 8;
/// The cost of SETTINGS, which may change the window of each open stream.
const SETTINGS_COST: u32 = 8;
/// The bytes of compressed headers that cost 1. Each byte may be a whole header.
const HEADER_BYTES_PER_COST: usize = 64;

/// The budget of one connection, which its task and its I/O share.
#[derive(Debug, Default)]
pub(super) struct PollBudget {
    remaining: AtomicU32,
}

impl PollBudget {
    /// Begins a poll of the connection.
    pub(super) fn renew(&self) {
        self.remaining.store(BUDGET, Relaxed);
    }

    /// Whether this poll has processed no frame yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.remaining.load(Relaxed) == BUDGET
    }

    /// Whether this poll must process no more frames.
    pub(super) fn is_spent(&self) -> bool {
        self.remaining.load(Relaxed) == 0
    }

    /// Pays for a frame.
    pub(super) fn spend(&self, frame: &FrameHeader) {
        let headers = || u32::try_from(frame.length / HEADER_BYTES_PER_COST).unwrap_or(u32::MAX);
        let cost = match frame.kind {
            FrameKind::Headers => REQUEST_COST.saturating_add(headers()),
            FrameKind::Continuation => headers().saturating_add(1),
            FrameKind::Settings => SETTINGS_COST,
            _ => 1,
        };
        // Only the task that polls the connection changes the budget.
        let remaining = self.remaining.load(Relaxed);
        self.remaining.store(remaining.saturating_sub(cost), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames_of_one_poll(kind: FrameKind, length: usize) -> u32 {
        let budget = PollBudget::default();
        budget.renew();
        assert!(budget.is_untouched());
        let frame = FrameHeader {
            kind,
            flags: 0,
            stream: 1,
            length,
            error: 0,
        };
        let mut frames = 0;
        while !budget.is_spent() {
            budget.spend(&frame);
            assert!(!budget.is_untouched());
            frames += 1;
        }
        frames
    }

    #[test]
    fn a_poll_processes_few_expensive_frames() {
        assert_eq!(frames_of_one_poll(FrameKind::Data, 16 << 10), 32);
        assert_eq!(frames_of_one_poll(FrameKind::Ping, 8), 32);
        assert_eq!(frames_of_one_poll(FrameKind::Settings, 6), 4);
        assert_eq!(frames_of_one_poll(FrameKind::Headers, 20), 4);
        // A block of headers is not split, so the poll ends after it.
        assert_eq!(frames_of_one_poll(FrameKind::Headers, 16 << 10), 1);
        assert_eq!(frames_of_one_poll(FrameKind::Continuation, usize::MAX), 1);
    }
}
