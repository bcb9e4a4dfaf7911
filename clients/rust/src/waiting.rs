//! The requests of a PredictStream that wait for their answers.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tonic::Code;

use crate::proto::predict_stream_response::Outcome;
use crate::proto::{PredictResponse, PredictStreamResponse};
use crate::{Error, ErrorKind};

/// The most requests of one stream without an answer.
pub(crate) const MAX_WAITING: usize = 64;

/// The time after its deadline in which a request must have an answer or an error. A server that works sends one.
const GRACE: Duration = Duration::from_secs(1);

/// The time after which a request for which there was no room may be sent again.
const RETRY_AFTER: Duration = Duration::from_millis(5);

/// The waiters of one gRPC stream by their correlation id.
#[derive(Debug)]
pub(crate) struct WaitingRequests<W> {
    /// Ids grow, so the first entry is the oldest.
    entries: BTreeMap<u64, (W, Instant)>,
    end: Option<Error>,
}

impl<W> WaitingRequests<W> {
    pub(crate) fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            end: None,
        }
    }

    /// Whether the stream takes requests: it has not ended, and its server still answers.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        let oldest = self.entries.first_key_value().map(|(_, (_, end))| *end);
        self.end.is_none() && oldest.is_none_or(|end| now < end + GRACE)
    }

    /// Adds a request that waits until `end`.
    pub(crate) fn add(&mut self, correlation_id: u64, waiter: W, end: Instant) -> Result<(), Error> {
        if let Some(error) = &self.end {
            return Err(error.clone());
        }
        if self.entries.len() >= MAX_WAITING {
            let message = format!("{MAX_WAITING} requests of this stream wait for their answers");
            return Err(Error::exhausted(message, RETRY_AFTER));
        }
        self.entries.insert(correlation_id, (waiter, end));
        Ok(())
    }

    /// Removes the waiter of an answer.
    pub(crate) fn take(&mut self, correlation_id: u64) -> Option<W> {
        self.entries.remove(&correlation_id).map(|(waiter, _)| waiter)
    }

    /// Ends the stream, and removes the waiters whose error this is.
    pub(crate) fn close(&mut self, error: Error) -> Vec<W> {
        self.end.get_or_insert(error);
        let entries = std::mem::take(&mut self.entries);
        entries.into_values().map(|(waiter, _)| waiter).collect()
    }
}

/// The error of the requests that a stream leaves without an answer.
pub(crate) fn end_of_stream(error: Option<Error>) -> Error {
    // The end of the stream's own deadline says nothing about the request, which another stream answers.
    let ended = |error: &Error| {
        error.kind() == ErrorKind::DeadlineExceeded || matches!(error.code(), Some(Code::Ok | Code::Cancelled))
    };
    error
        .filter(|error| !ended(error))
        .unwrap_or_else(|| Error::unavailable("the stream ended before the answer"))
}

/// The answer of one request, or its error.
pub(crate) fn outcome(response: PredictStreamResponse) -> Result<PredictResponse, Error> {
    match response.outcome {
        Some(Outcome::Response(response)) => Ok(response),
        Some(Outcome::Error(error)) => Err(Error::from_request_error(error)),
        None => Err(Error::malformed("the answer holds neither a response nor an error")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_stream_whose_server_is_silent_is_replaced() {
        let now = Instant::now();
        let mut waiting = WaitingRequests::new();
        assert!(waiting.is_open(now));
        waiting.add(1, "old", now + SECOND).unwrap();
        waiting.add(2, "new", now + 60 * SECOND).unwrap();
        assert!(waiting.is_open(now + SECOND));
        assert!(!waiting.is_open(now + SECOND + GRACE));
        assert_eq!(waiting.take(1), Some("old"));
        assert!(waiting.is_open(now + SECOND + GRACE));
    }

    #[test]
    fn the_end_of_a_stream_is_the_error_of_its_requests() {
        let now = Instant::now();
        let mut waiting = WaitingRequests::new();
        waiting.add(1, "first", now).unwrap();
        waiting.add(2, "second", now).unwrap();
        let refused = Error::from_status(tonic::Status::unauthenticated("no token"));
        assert_eq!(waiting.close(refused), ["first", "second"]);
        assert!(!waiting.is_open(now));
        assert_eq!(
            waiting.add(3, "third", now).unwrap_err().kind(),
            ErrorKind::Unauthenticated
        );
        // The first end is the cause.
        assert!(waiting.close(Error::unavailable("later")).is_empty());
        assert_eq!(
            waiting.add(3, "third", now).unwrap_err().kind(),
            ErrorKind::Unauthenticated
        );
    }

    #[test]
    fn a_regular_end_is_repeated_and_another_is_not() {
        use tonic::Status;

        for regular in [Status::ok(""), Status::cancelled(""), Status::deadline_exceeded("")] {
            let error = end_of_stream(Some(Error::from_status(regular)));
            assert_eq!(error.kind(), ErrorKind::Unavailable);
        }
        assert_eq!(end_of_stream(None).kind(), ErrorKind::Unavailable);
        let invalid = end_of_stream(Some(Error::from_status(Status::invalid_argument("no message"))));
        assert_eq!(invalid.kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn an_empty_answer_is_malformed() {
        let error = outcome(PredictStreamResponse::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MalformedAnswer);
    }

    proptest! {
        #[test]
        fn every_waiter_is_taken_once_and_no_more_wait_than_the_limit(ids in prop::collection::vec(0..200_u64, 0..300)) {
            let now = Instant::now();
            let mut waiting = WaitingRequests::new();
            let mut expected = std::collections::BTreeSet::new();
            for id in ids {
                if expected.remove(&id) {
                    prop_assert_eq!(waiting.take(id), Some(id));
                } else if waiting.add(id, id, now).is_ok() {
                    expected.insert(id);
                } else {
                    prop_assert_eq!(expected.len(), MAX_WAITING);
                }
            }
            let left = waiting.close(Error::unavailable("the end"));
            prop_assert_eq!(left, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
