//! Computes the deadline of a request, a stream and a message of a stream.
//!
//! The server reads `grpc-timeout` itself and uses no timeout of tonic. A tonic timeout ends the
//! call with CANCELLED and loses what was computed until then.

use std::time::{Duration, Instant};

use tonic::codegen::http::HeaderMap;
use tonic::metadata::MetadataMap;

use crate::domain::{Violations, cut};

const TIMEOUT_HEADER: &str = "grpc-timeout";
/// The most bytes of a malformed header in an error message.
const MAX_SHOWN_BYTES: usize = 32;

/// The time by which a request that arrived at `received_at` must be answered.
///
/// This is shortly before the caller's deadline, and at most `max_request_time` after the arrival.
///
/// # Errors
/// The `grpc-timeout` header does not follow the gRPC protocol.
pub(in crate::rpc) fn request_deadline(
    metadata: &MetadataMap,
    received_at: Instant,
    max_request_time: Duration,
) -> Result<Instant, Violations> {
    let time_left = time_to_answer(metadata)?.map_or(max_request_time, |time| time.min(max_request_time));
    Ok(received_at + time_left)
}

/// The time by which a stream that began at `began_at` must end, if its caller set a deadline.
///
/// This is shortly before the caller's deadline.
///
/// # Errors
/// As [`request_deadline`].
pub(in crate::rpc) fn stream_deadline(
    metadata: &MetadataMap,
    began_at: Instant,
) -> Result<Option<Instant>, Violations> {
    // A deadline beyond the range of the clock counts as none.
    Ok(time_to_answer(metadata)?.and_then(|time| began_at.checked_add(time)))
}

/// The time by which one message of a stream must be answered.
///
/// `timeout_us` starts when the server reads the message at `received_at`. It contains no network
/// time, so no margin is subtracted. 0 means `max_request_time`.
pub(in crate::rpc) fn stream_message_deadline(
    timeout_us: u64,
    received_at: Instant,
    max_request_time: Duration,
    stream_deadline: Option<Instant>,
) -> Instant {
    let own = match timeout_us {
        0 => received_at + max_request_time,
        timeout_us => received_at + Duration::from_micros(timeout_us).min(max_request_time),
    };
    stream_deadline.map_or(own, |stream_deadline| own.min(stream_deadline))
}

/// The timeout in the header of a request. `None` if there is none or it is malformed; the handler
/// reports a malformed one.
pub(in crate::rpc) fn requested_timeout(headers: &HeaderMap) -> Option<Duration> {
    headers.get(TIMEOUT_HEADER)?.to_str().ok().and_then(parse_timeout)
}

/// The time from the arrival of a call until it must be answered, from its header.
fn time_to_answer(metadata: &MetadataMap) -> Result<Option<Duration>, Violations> {
    let Some(header) = metadata.get(TIMEOUT_HEADER) else {
        return Ok(None);
    };
    let timeout = header.to_str().ok().and_then(parse_timeout).ok_or_else(|| {
        let found = String::from_utf8_lossy(header.as_encoded_bytes());
        let found = cut(&found, MAX_SHOWN_BYTES);
        Violations::one(
            TIMEOUT_HEADER,
            format!("expected up to 8 digits and a unit of H, M, S, m, u or n, found {found:?}"),
        )
    })?;
    Ok(Some(timeout.saturating_sub(network_margin(timeout))))
}

/// The time allowed for the network in both directions: 1/20 of the timeout, from 1 to 200 ms.
///
/// The caller's clock starts before the server's. On a busy machine both directions also wait for a
/// processor.
fn network_margin(timeout: Duration) -> Duration {
    (timeout / 20).clamp(Duration::from_millis(1), Duration::from_millis(200))
}

/// Parses a `Timeout` of <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
fn parse_timeout(header: &str) -> Option<Duration> {
    let (digits, unit) = header.split_at_checked(header.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeout_headers_are_parsed_by_the_grpc_protocol() {
        assert_eq!(parse_timeout("5S"), Some(Duration::from_secs(5)));
        assert_eq!(parse_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse_timeout("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for wrong in ["", "S", "5", "5s", "-5S", "123456789S", "5.0S", "٥S"] {
            assert_eq!(parse_timeout(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_message_deadline_is_the_earliest_of_its_limits() {
        let (now, max_request_time) = (Instant::now(), Duration::from_secs(9));
        let (second, stream) = (Duration::from_secs(1), Some(now + Duration::from_secs(5)));
        assert_eq!(
            stream_message_deadline(0, now, max_request_time, None),
            now + max_request_time
        );
        assert_eq!(
            stream_message_deadline(1_000_000, now, max_request_time, stream),
            now + second
        );
        assert_eq!(
            stream_message_deadline(u64::MAX, now, max_request_time, None),
            now + max_request_time
        );
        assert_eq!(
            stream_message_deadline(0, now, max_request_time, stream),
            now + 5 * second
        );
        assert_eq!(
            stream_message_deadline(7_000_000, now, max_request_time, stream),
            now + 5 * second
        );
    }

    #[test]
    fn a_stream_has_no_deadline_but_the_callers() {
        let now = Instant::now();
        let mut metadata = MetadataMap::new();
        assert_eq!(stream_deadline(&metadata, now), Ok(None));
        metadata.insert("grpc-timeout", "100S".parse().unwrap());
        assert_eq!(
            stream_deadline(&metadata, now),
            Ok(Some(now + Duration::from_millis(100_000 - 200)))
        );
        metadata.insert("grpc-timeout", "soon".parse().unwrap());
        assert!(stream_deadline(&metadata, now).is_err());
    }

    #[test]
    fn a_request_deadline_is_before_the_callers() {
        let now = Instant::now();
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", "100m".parse().unwrap());
        assert_eq!(
            request_deadline(&metadata, now, Duration::from_secs(9)).unwrap(),
            now + Duration::from_millis(95)
        );
        metadata.insert("grpc-timeout", "1H".parse().unwrap());
        assert_eq!(
            request_deadline(&metadata, now, Duration::from_secs(9)).unwrap(),
            now + Duration::from_secs(9)
        );
    }
}
