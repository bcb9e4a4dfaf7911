//! Follows one request: what it waits for decides whether its connection may lose its slot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::AcqRel};
use std::time::Instant;

use super::activity::ConnectionActivity;

/// The body of the request has not arrived whole.
const INCOMPLETE: u8 = 1;
/// A part of the response waits for the peer to read it.
const UNREAD: u8 = 2;
/// The response has no end of its own.
const ENDLESS: u8 = 4;
/// The request has ended.
const ENDED: u8 = 8;

/// The conditions of one request under which the server does not work on it. The server works on
/// the request while no condition holds.
struct RequestState {
    activity: Arc<ConnectionActivity>,
    /// The conditions that hold, as a set of bits. One atomic holds all of them, so that the number
    /// of busy requests changes exactly when the set becomes empty or stops being so.
    waiting: AtomicU8,
}

impl RequestState {
    fn set(&self, condition: u8) {
        if self.waiting.fetch_or(condition, AcqRel) == 0 {
            self.activity.busy_requests.fetch_sub(1, AcqRel);
        }
    }

    fn clear(&self, condition: u8) {
        let before = self.waiting.fetch_and(!condition, AcqRel);
        if before != 0 && before & !condition == 0 {
            self.activity.busy_requests.fetch_add(1, AcqRel);
        }
    }
}

/// One open request, from its headers to the last part of its response. Dropping it ends the
/// request.
pub(super) struct OpenRequest {
    state: Arc<RequestState>,
    is_unread: bool,
}

/// The body of an open request that has not arrived whole. Dropping it records that nothing more is
/// expected.
pub(super) struct ArrivingBody(Arc<RequestState>);

impl OpenRequest {
    /// Records a request whose headers have arrived. `is_endless`: the response has no end of its
    /// own, as that of a health watch.
    pub(super) fn new(activity: &Arc<ConnectionActivity>, is_endless: bool) -> (Self, ArrivingBody) {
        activity.open_requests.fetch_add(1, AcqRel);
        activity.record_progress(Instant::now());
        let endless = if is_endless { ENDLESS } else { 0 };
        let state = Arc::new(RequestState {
            activity: Arc::clone(activity),
            waiting: AtomicU8::new(INCOMPLETE | endless),
        });
        let request = Self {
            state: Arc::clone(&state),
            is_unread: false,
        };
        (request, ArrivingBody(state))
    }

    /// Records that a part of the response waits for the peer to read it.
    pub(super) fn part_available(&mut self) {
        self.state.activity.record_progress(Instant::now());
        if !std::mem::replace(&mut self.is_unread, true) {
            self.state.activity.unread_responses.fetch_add(1, AcqRel);
            self.state.set(UNREAD);
        }
    }

    /// Records that the peer has read every available part of the response.
    pub(super) fn all_parts_read(&mut self) {
        if std::mem::replace(&mut self.is_unread, false) {
            self.state.activity.unread_responses.fetch_sub(1, AcqRel);
            self.state.clear(UNREAD);
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        // First, so that no other condition makes the request count as busy again.
        self.state.set(ENDED);
        self.all_parts_read();
        self.state.activity.open_requests.fetch_sub(1, AcqRel);
        self.state.activity.record_progress(Instant::now());
    }
}

impl Drop for ArrivingBody {
    fn drop(&mut self) {
        self.0.clear(INCOMPLETE);
    }
}

#[cfg(test)]
mod tests {
    use super::super::eviction::ConnectionStage::{Busy, Idle, Pending};
    use super::*;
    use crate::call::Principal;

    fn activity() -> Arc<ConnectionActivity> {
        Arc::new(ConnectionActivity::new(Instant::now()))
    }

    #[test]
    fn a_connection_is_busy_while_the_server_works_on_a_whole_request() {
        let activity = activity();
        let (mut request, body) = OpenRequest::new(&activity, false);
        activity.record_established(Principal::Unknown);
        assert_eq!(activity.stage().0, Idle, "the body has not arrived");
        drop(body);
        assert_eq!(activity.stage().0, Busy);
        request.part_available();
        assert_eq!(activity.stage().0, Idle, "the peer does not read the response");
        request.all_parts_read();
        assert_eq!(activity.stage().0, Busy);
        drop(request);
        assert_eq!(activity.stage().0, Idle);
    }

    #[test]
    fn a_watch_and_an_unfinished_body_keep_no_connection_busy() {
        let activity = activity();
        let (mut watch, body) = OpenRequest::new(&activity, true);
        drop(body);
        watch.part_available();
        watch.all_parts_read();
        assert_eq!(activity.stage().0, Pending);
        let (stream, body) = OpenRequest::new(&activity, false);
        assert_eq!(activity.stage().0, Pending);
        // A response may end before its request.
        drop(stream);
        drop(body);
        drop(watch);
        assert_eq!(activity.stage().0, Pending);
        assert_eq!(activity.snapshot().open_requests, 0);
        assert_eq!(activity.snapshot().unread_responses, 0);
    }
}
