//! Retries: which error is tried again, after which time, and never beyond the deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::error::NO_ANSWER;
use crate::{Error, ErrorKind};

/// How often and how soon a call is repeated within its deadline.
///
/// A call that the server refused for lack of room ([`ErrorKind::ResourceExhausted`] with
/// [`Error::retry_after`]) is repeated after the time that the server asks for. A call that found no server
/// ([`ErrorKind::Unavailable`]) is repeated after a backoff. Every call only reads, so a repetition is harmless.
///
/// The crate computes its own backoff, because crates for it draw the jitter themselves: here it is an argument, so that
/// a property test covers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    initial_backoff: Duration,
    max_backoff: Duration,
}

impl RetryPolicy {
    /// A policy that repeats nothing.
    pub const NEVER: Self = Self {
        max_attempts: 1,
        initial_backoff: Duration::from_millis(20),
        max_backoff: Duration::from_millis(500),
    };

    /// The longest backoff that a policy may have.
    const LONGEST_BACKOFF: Duration = Duration::from_secs(3600);

    /// `max_attempts` with the first one, 1 to 5; the backoff before the second attempt, which doubles with each; and the
    /// longest backoff, below an hour. A backoff has a jitter of half its length to either side. The time that a server asks
    /// for has no limit except the deadline.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if a value is outside its range.
    pub fn new(max_attempts: u32, initial_backoff: Duration, max_backoff: Duration) -> Result<Self, Error> {
        if !(1..=5).contains(&max_attempts) {
            let description = format!("expected 1 to 5, found {max_attempts}");
            return Err(Error::invalid("max_attempts", description));
        }
        if initial_backoff.is_zero() || initial_backoff > max_backoff || max_backoff >= Self::LONGEST_BACKOFF {
            let description = format!(
                "expected 0 < initial_backoff <= max_backoff < 1 h, found {initial_backoff:?} and {max_backoff:?}"
            );
            return Err(Error::invalid("initial_backoff", description));
        }
        Ok(Self {
            max_attempts,
            initial_backoff,
            max_backoff,
        })
    }

    /// The time to wait before the next attempt; `None` if the call must not be repeated.
    ///
    /// `attempts` have failed, at least one, the last with `error`, and `time_left` remains. `jitter` is in [0, 1).
    fn delay(&self, error: &Error, attempts: u32, time_left: Duration, jitter: f64) -> Option<Duration> {
        if attempts >= self.max_attempts {
            return None;
        }
        let delay = match (error.kind(), error.retry_after()) {
            // Callers that were refused together come back apart.
            (ErrorKind::ResourceExhausted, Some(pushback)) => {
                pushback.saturating_add(self.initial_backoff.mul_f64(jitter))
            }
            (ErrorKind::Unavailable, _) => {
                let doubled = self.initial_backoff * 2_u32.pow(attempts - 1);
                doubled.min(self.max_backoff).mul_f64(0.5 + jitter)
            }
            _ => return None,
        };
        (delay < time_left).then_some(delay)
    }

    /// Calls `attempt` with the time left until `end`, as often as the policy allows.
    pub(crate) async fn repeat<T, F>(
        &self,
        end: Instant,
        mut attempt: impl FnMut(Duration) -> F + Send,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let time_left = end.saturating_duration_since(Instant::now());
            if time_left.is_zero() {
                return Err(Error::late("the deadline passed before the request was sent"));
            }
            let error = match timeout_at(end, attempt(time_left)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                Err(_) => return Err(Error::late(NO_ANSWER)),
            };
            let time_left = end.saturating_duration_since(Instant::now());
            match self.delay(&error, attempts, time_left, fastrand::f64()) {
                Some(delay) => sleep(delay).await,
                None => return Err(error),
            }
        }
    }
}

/// Four attempts, and a backoff from 20 ms to 500 ms.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            ..Self::NEVER
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn errors() -> impl Strategy<Value = Error> {
        prop_oneof![
            Just(Error::unavailable("no server")),
            Just(Error::late("late")),
            Just(Error::malformed("NaN")),
            Just(Error::invalid("inputs", "wrong")),
            (0..10_000_u64).prop_map(|ms| Error::exhausted("full", Duration::from_millis(ms))),
            Just(Error::exhausted("full", Duration::MAX)),
        ]
    }

    proptest! {
        #[test]
        fn a_delay_fits_the_deadline_and_obeys_the_server(
            error in errors(),
            attempts in 1..6_u32,
            max_attempts in 1..=5_u32,
            (initial, longest) in (1..1000_u32).prop_flat_map(|first| (Just(first), first..2000)),
            time_left in 0..20_000_u64,
            jitter in 0.0..1.0_f64,
        ) {
            let (initial, longest) = (initial * MS, longest * MS);
            let policy = RetryPolicy::new(max_attempts, initial, longest).unwrap();
            let time_left = Duration::from_millis(time_left);
            let Some(delay) = policy.delay(&error, attempts, time_left, jitter) else { return Ok(()) };
            prop_assert!(attempts < max_attempts);
            prop_assert!(delay < time_left);
            match error.kind() {
                ErrorKind::ResourceExhausted => {
                    let pushback = error.retry_after().unwrap();
                    prop_assert!(delay >= pushback && delay <= pushback + initial);
                }
                ErrorKind::Unavailable => prop_assert!(delay >= initial / 2 && delay <= longest * 3 / 2),
                kind => prop_assert!(false, "{kind:?} is repeated"),
            }
        }
    }

    #[test]
    fn backoffs_double_up_to_the_longest() {
        let policy = RetryPolicy::new(5, 20 * MS, 100 * MS).unwrap();
        let error = Error::unavailable("no server");
        let delays = (1..6).map(|attempts| policy.delay(&error, attempts, Duration::MAX, 0.5));
        let expected = [Some(20 * MS), Some(40 * MS), Some(80 * MS), Some(100 * MS), None];
        assert_eq!(delays.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_message_that_is_too_large_is_not_repeated() {
        let error = Error::from_status(tonic::Status::resource_exhausted("message length too large"));
        assert_eq!(RetryPolicy::default().delay(&error, 1, Duration::MAX, 0.0), None);
    }

    #[test]
    fn wrong_policies_are_refused() {
        for (attempts, initial, longest) in [(0, 1, 2), (6, 1, 2), (2, 0, 2), (2, 3, 2), (2, 1, 3_600_000)] {
            let policy = RetryPolicy::new(attempts, initial * MS, longest * MS);
            assert_eq!(policy.unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
    }

    /// The number of attempts, and the outcome of a call that always ends with `error`.
    async fn attempts(policy: RetryPolicy, deadline: Duration, error: Error) -> (u32, Error) {
        let mut attempts = 0;
        let attempt = |time_left: Duration| {
            attempts += 1;
            assert!(time_left <= deadline);
            std::future::ready(Err::<(), _>(error.clone()))
        };
        let outcome = policy.repeat(Instant::now() + deadline, attempt).await;
        (attempts, outcome.unwrap_err())
    }

    #[tokio::test]
    async fn attempts_are_bounded() {
        let policy = RetryPolicy::new(3, MS, MS).unwrap();
        let minute = Duration::from_secs(60);
        let (count, error) = attempts(policy, minute, Error::unavailable("no server")).await;
        assert_eq!((count, error.kind()), (3, ErrorKind::Unavailable));
        let (count, error) = attempts(policy, minute, Error::exhausted("full", 2 * minute)).await;
        assert_eq!((count, error.kind()), (1, ErrorKind::ResourceExhausted));
        let (count, _) = attempts(RetryPolicy::NEVER, minute, Error::unavailable("no server")).await;
        assert_eq!(count, 1);
        let (count, error) = attempts(policy, Duration::ZERO, Error::unavailable("no server")).await;
        assert_eq!((count, error.kind()), (0, ErrorKind::DeadlineExceeded));
    }

    #[tokio::test]
    async fn an_attempt_without_an_end_costs_the_deadline_only() {
        let policy = RetryPolicy::default();
        let never = |_| std::future::pending::<Result<(), Error>>();
        let error = policy.repeat(Instant::now() + MS, never).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    }
}
