//! When a request must be answered.
//!
//! Read here because tonic's own timeout, of which nothing is used, answers CANCELLED, and nothing of what was computed until then.

use std::time::{Duration, Instant};

use tonic::codegen::http::HeaderMap;
use tonic::metadata::MetadataMap;

use crate::domain::Violations;

const HEADER: &str = "grpc-timeout";

/// The moment by which a request that came at `received` must be answered: shortly before the caller's deadline.
///
/// # Errors
/// If the `grpc-timeout` header is not what the gRPC protocol says.
pub(in crate::rpc) fn of(metadata: &MetadataMap, received: Instant, longest: Duration) -> Result<Instant, Violations> {
    let answered_in = answered_in(metadata)?.map_or(longest, |answered_in| answered_in.min(longest));
    Ok(received + answered_in)
}

/// The moment by which a stream that began at `began` must end: shortly before the caller's deadline, if it has one.
///
/// # Errors
/// As [`of`].
pub(in crate::rpc) fn of_stream(metadata: &MetadataMap, began: Instant) -> Result<Option<Instant>, Violations> {
    // Further off than the clock goes is as good as never.
    Ok(answered_in(metadata)?.and_then(|answered_in| began.checked_add(answered_in)))
}

/// The moment by which one request of a stream must be answered, `received` when it was read. `timeout_us` is the server's
/// to keep, from that moment on: the ways there and back are not in it, so nothing is taken off for them.
pub(in crate::rpc) fn of_message(
    timeout_us: u64,
    received: Instant,
    longest: Duration,
    stream: Option<Instant>,
) -> Instant {
    let own = match timeout_us {
        0 => received + longest,
        timeout_us => received + Duration::from_micros(timeout_us).min(longest),
    };
    stream.map_or(own, |stream| own.min(stream))
}

/// What a call asks for by its header, if it asks for what the protocol knows; who answers it tells what is wrong with it.
pub(in crate::rpc) fn asked(headers: &HeaderMap) -> Option<Duration> {
    headers.get(HEADER)?.to_str().ok().and_then(parse)
}

/// How long after it came a call must be answered, by its header.
fn answered_in(metadata: &MetadataMap) -> Result<Option<Duration>, Violations> {
    let Some(header) = metadata.get(HEADER) else {
        return Ok(None);
    };
    let timeout = header.to_str().ok().and_then(parse).ok_or_else(|| {
        let mut violations = Violations::default();
        violations.add(
            HEADER,
            format!("expected up to 8 digits and a unit of H, M, S, m, u or n, found {header:?}"),
        );
        violations
    })?;
    Ok(Some(timeout.saturating_sub(margin(timeout))))
}

/// What the ways there and back may take: a twentieth, from 1 to 200 ms. The caller's clock started before ours, and on a busy
/// machine both ways wait for a processor.
fn margin(timeout: Duration) -> Duration {
    (timeout / 20).clamp(Duration::from_millis(1), Duration::from_millis(200))
}

/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, `Timeout`.
fn parse(header: &str) -> Option<Duration> {
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
    fn headers_are_read_as_the_protocol_says() {
        assert_eq!(parse("5S"), Some(Duration::from_secs(5)));
        assert_eq!(parse("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for wrong in ["", "S", "5", "5s", "-5S", "123456789S", "5.0S", "٥S"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_message_keeps_to_the_shortest_of_its_limits() {
        let (now, longest) = (Instant::now(), Duration::from_secs(9));
        let (second, stream) = (Duration::from_secs(1), Some(now + Duration::from_secs(5)));
        assert_eq!(of_message(0, now, longest, None), now + longest);
        assert_eq!(of_message(1_000_000, now, longest, stream), now + second);
        assert_eq!(of_message(u64::MAX, now, longest, None), now + longest);
        assert_eq!(of_message(0, now, longest, stream), now + 5 * second);
        assert_eq!(of_message(7_000_000, now, longest, stream), now + 5 * second);
    }

    #[test]
    fn a_stream_has_the_callers_deadline_alone() {
        let now = Instant::now();
        let mut metadata = MetadataMap::new();
        assert_eq!(of_stream(&metadata, now), Ok(None));
        metadata.insert("grpc-timeout", "100S".parse().unwrap());
        assert_eq!(
            of_stream(&metadata, now),
            Ok(Some(now + Duration::from_millis(100_000 - 200)))
        );
        metadata.insert("grpc-timeout", "soon".parse().unwrap());
        assert!(of_stream(&metadata, now).is_err());
    }

    #[test]
    fn the_answer_leaves_before_the_deadline() {
        let now = Instant::now();
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", "100m".parse().unwrap());
        assert_eq!(
            of(&metadata, now, Duration::from_secs(9)).unwrap(),
            now + Duration::from_millis(95)
        );
        metadata.insert("grpc-timeout", "1H".parse().unwrap());
        assert_eq!(
            of(&metadata, now, Duration::from_secs(9)).unwrap(),
            now + Duration::from_secs(9)
        );
    }
}
