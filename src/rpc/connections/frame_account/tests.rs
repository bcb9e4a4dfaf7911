use std::time::Duration;

use proptest::prelude::*;

use super::*;

const STREAMS: u32 = 1024;

fn frame(kind: FrameKind) -> FrameHeader {
    FrameHeader {
        kind,
        flags: 0,
        stream: 1,
        length: 0,
        error: 0,
    }
}

fn headers(stream: u32) -> FrameHeader {
    FrameHeader {
        stream,
        ..frame(FrameKind::Headers)
    }
}

fn reset(stream: u32) -> FrameHeader {
    FrameHeader {
        stream,
        error: 8,
        ..frame(FrameKind::ResetStream)
    }
}

/// A frame of the server that carries an error code.
fn sent_reset(error: u32) -> FrameHeader {
    FrameHeader {
        error,
        ..frame(FrameKind::ResetStream)
    }
}

/// The frames of `kind` that are accepted at one moment, and the limit that the next one exceeds.
fn accepted(kind: FrameKind) -> (u32, LimitedFrames) {
    let now = Instant::now();
    let mut account = FrameAccount::new(STREAMS, now);
    for count in 0..1_000_000 {
        if let Err(limit) = account.receive(&frame(kind), now) {
            return (count, limit);
        }
        // The acknowledgement of the server earns the peer nothing.
        let acknowledgement = FrameHeader {
            flags: 1,
            ..frame(kind)
        };
        if acknowledgement.is_acknowledgement() {
            account.send(&acknowledgement, now).unwrap();
        }
    }
    panic!("{kind:?} has no limit");
}

#[test]
fn each_kind_of_frame_ends_a_connection_that_floods_it() {
    assert_eq!(accepted(FrameKind::Settings), (100, LimitedFrames::Settings));
    assert_eq!(accepted(FrameKind::Ping), (1000, LimitedFrames::Ping));
    assert_eq!(accepted(FrameKind::WindowUpdate), (4000, LimitedFrames::WindowUpdate));
    assert_eq!(accepted(FrameKind::Data), (50, LimitedFrames::EmptyData));
    assert_eq!(accepted(FrameKind::Other), (1000, LimitedFrames::Useless));
    // No request was opened, so there is nothing to reset.
    assert_eq!(accepted(FrameKind::ResetStream), (1000, LimitedFrames::Useless));
}

#[test]
fn requests_that_are_reset_before_they_begin_are_limited() {
    let now = Instant::now();
    let mut account = FrameAccount::new(STREAMS, now);
    for request in 0..2048 {
        let stream = 2 * request + 1;
        assert_eq!(account.receive(&headers(stream), now), Ok(None));
        let found = account.receive(&reset(stream), now);
        assert_eq!(found, Ok(Some(RequestReset::Unbegun)), "{request}");
    }
    assert_eq!(account.receive(&headers(5001), now), Ok(None));
    let found = account.receive(&reset(5001), now);
    assert_eq!(found, Err(LimitedFrames::UnbegunResets));
    // A thousand in a second are normal.
    let now = now + Duration::from_secs(1);
    for request in 0..1000 {
        let stream = 5003 + 2 * request;
        account.receive(&headers(stream), now).unwrap();
        account.receive(&reset(stream), now).unwrap();
    }
}

#[test]
fn the_limit_of_resets_grows_with_the_limit_of_streams() {
    let now = Instant::now();
    let mut account = FrameAccount::new(50_000, now);
    for request in 0..100_000 {
        let stream = 2 * request + 1;
        account.receive(&headers(stream), now).unwrap();
        account.receive(&reset(stream), now).unwrap();
    }
    account.receive(&headers(300_001), now).unwrap();
    account.receive(&reset(300_001), now).unwrap_err();
}

#[test]
fn any_number_of_begun_requests_may_be_cancelled() {
    let now = Instant::now();
    let mut account = FrameAccount::new(STREAMS, now);
    for request in 0..100_000 {
        let stream = 2 * request + 1;
        account.receive(&headers(stream), now).unwrap();
        account.begin_requests();
        assert_eq!(account.receive(&reset(stream), now), Ok(Some(RequestReset::Begun)));
    }
    // A second reset of one of them is useless.
    for _ in 0..1000 {
        assert_eq!(account.receive(&reset(1), now), Ok(None));
    }
    assert_eq!(account.receive(&reset(1), now), Err(LimitedFrames::Useless));
}

#[test]
fn streams_that_the_server_refuses_are_limited_and_early_answers_are_not() {
    let now = Instant::now();
    let mut account = FrameAccount::new(STREAMS, now);
    for _ in 0..100_000 {
        // NO_ERROR, CANCEL
        for error in [0, 8] {
            account.send(&sent_reset(error), now).unwrap();
        }
    }
    for _ in 0..1000 {
        account.send(&sent_reset(error_code::REFUSED_STREAM), now).unwrap();
    }
    let refused = account.send(&sent_reset(error_code::REFUSED_STREAM), now);
    assert_eq!(refused, Err(LimitedFrames::RefusedStreams));
    for _ in 0..10_000 {
        account.send(&sent_reset(error_code::STREAM_CLOSED), now).unwrap();
    }
    let late = account.send(&sent_reset(error_code::STREAM_CLOSED), now);
    assert_eq!(late, Err(LimitedFrames::LateData));
}

#[test]
fn data_with_content_has_no_limit() {
    let now = Instant::now();
    let mut account = FrameAccount::new(STREAMS, now);
    let byte = FrameHeader {
        length: 1,
        ..frame(FrameKind::Data)
    };
    let end = FrameHeader {
        flags: 1,
        ..frame(FrameKind::Data)
    };
    for _ in 0..100_000 {
        account.receive(&byte, now).unwrap();
        account.receive(&end, now).unwrap();
    }
}

proptest! {
    /// A client whose library answers each DATA frame with a PING and two WINDOW_UPDATE frames, and
    /// each response with one more, is served at any rate. The server is at most 400 frames ahead,
    /// and the client cancels as many of its requests as it likes.
    #[test]
    fn the_frames_of_honest_libraries_are_accepted(
        responses in prop::collection::vec((1_u32..=400, 0_u32..=3, any::<bool>()), 1..200),
    ) {
        let now = Instant::now();
        let mut account = FrameAccount::new(STREAMS, now);
        account.receive(&frame(FrameKind::Settings), now).unwrap();
        account.send(&frame(FrameKind::Settings), now).unwrap();
        account.receive(&frame(FrameKind::Settings), now).unwrap();
        for (index, (frames, windows, is_cancelled)) in responses.into_iter().enumerate() {
            let stream = 2 * u32::try_from(index).unwrap() + 1;
            account.receive(&headers(stream), now).unwrap();
            account.begin_requests();
            account.send(&headers(stream), now).unwrap();
            for _ in 0..frames {
                account.send(&frame(FrameKind::Data), now).unwrap();
            }
            for _ in 0..frames {
                account.receive(&frame(FrameKind::Ping), now).unwrap();
                for _ in 0..2 {
                    account.receive(&frame(FrameKind::WindowUpdate), now).unwrap();
                }
            }
            for _ in 0..windows {
                account.receive(&frame(FrameKind::WindowUpdate), now).unwrap();
            }
            if is_cancelled {
                account.receive(&reset(stream), now).unwrap();
            }
        }
    }

    /// Whatever the times, a peer gets no more frames accepted than burst and rate allow.
    #[test]
    fn no_schedule_exceeds_burst_and_rate(pauses in prop::collection::vec(0_u64..50, 1..2000)) {
        let start = Instant::now();
        let mut account = FrameAccount::new(STREAMS, start);
        let mut now = start;
        let mut count = 0.0;
        for pause in pauses {
            now += Duration::from_millis(pause);
            if account.receive(&frame(FrameKind::Settings), now).is_ok() {
                count += 1.0;
            }
            let allowed = 100.0 + 10.0 * (now - start).as_secs_f64();
            prop_assert!(count <= allowed + 1e-6, "{} of {}", count, allowed);
        }
    }
}
