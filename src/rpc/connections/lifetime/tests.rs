use super::*;

const SECOND: Duration = Duration::from_secs(1);
const LIMITS: LifetimeLimits = LifetimeLimits {
    idle: Duration::from_secs(40),
    age: Some(Duration::from_secs(600)),
    grace: Duration::from_secs(30),
};
const HANDSHAKE: Duration = Duration::from_secs(5);
const CONNECTED: ActivitySnapshot = ActivitySnapshot {
    preface_received: true,
    open_requests: 0,
    unread_responses: 0,
    headers_begun_at: None,
    progress: 0,
};

/// Checks the connection at each requested time until an action other than a wait is due. Returns
/// the time and the action.
fn run_until_action(
    lifetime: &mut ConnectionLifetime,
    mut now: Instant,
    activity: ActivitySnapshot,
) -> (Instant, LifetimeAction) {
    for _ in 0..10_000 {
        match lifetime.next_action(now, activity, HANDSHAKE) {
            LifetimeAction::Wait(next) => {
                assert!(next > now, "the check would repeat without end");
                now = next;
            }
            action => return (now, action),
        }
    }
    (now, LifetimeAction::Wait(now))
}

#[test]
fn a_silent_peer_is_aborted() {
    let start = Instant::now();
    let mut lifetime = ConnectionLifetime::new(LIMITS, start);
    let (at, action) = run_until_action(&mut lifetime, start, ActivitySnapshot::default());
    assert_eq!(
        (at, action),
        (start + 5 * SECOND, LifetimeAction::Abort(CloseReason::NoPreface))
    );
}

#[test]
fn an_idle_connection_is_closed_gracefully_then_aborted() {
    let start = Instant::now();
    let mut lifetime = ConnectionLifetime::new(LIMITS, start);
    let (at, action) = run_until_action(&mut lifetime, start, CONNECTED);
    assert_eq!(at, start + 40 * SECOND);
    assert!(
        matches!(action, LifetimeAction::CloseGracefully(CloseReason::Idle, _)),
        "{action:?}"
    );
    let (at, action) = run_until_action(&mut lifetime, at, CONNECTED);
    assert_eq!(
        (at, action),
        (start + 41 * SECOND, LifetimeAction::Abort(CloseReason::NotClosedByPeer))
    );
}

#[test]
fn a_request_resets_the_idle_timeout() {
    let start = Instant::now();
    let mut lifetime = ConnectionLifetime::new(LIMITS, start);
    assert!(matches!(
        lifetime.next_action(start + 39 * SECOND, CONNECTED, HANDSHAKE),
        LifetimeAction::Wait(_)
    ));
    let progressed = ActivitySnapshot {
        progress: 2,
        ..CONNECTED
    };
    let (at, _) = run_until_action(&mut lifetime, start + 39 * SECOND + SECOND / 2, progressed);
    assert!(at > start + 79 * SECOND, "{:?}", at - start);
    // A request in progress keeps the connection open until the connection is too old.
    let mut lifetime = ConnectionLifetime::new(LIMITS, start);
    let (at, action) = run_until_action(
        &mut lifetime,
        start,
        ActivitySnapshot {
            open_requests: 1,
            ..CONNECTED
        },
    );
    assert!(at >= start + 540 * SECOND && at <= start + 660 * SECOND);
    assert!(
        matches!(action, LifetimeAction::CloseGracefully(CloseReason::Age, _)),
        "{action:?}"
    );
    let (end, action) = run_until_action(
        &mut lifetime,
        at,
        ActivitySnapshot {
            open_requests: 1,
            ..CONNECTED
        },
    );
    assert_eq!(
        (end, action),
        (at + LIMITS.grace, LifetimeAction::Abort(CloseReason::GracePeriodOver))
    );
}

#[test]
fn unread_responses_abort_the_connection() {
    let start = Instant::now();
    let mut lifetime = ConnectionLifetime::new(LIMITS, start);
    let unread = ActivitySnapshot {
        open_requests: 3,
        unread_responses: 3,
        ..CONNECTED
    };
    let (at, action) = run_until_action(&mut lifetime, start, unread);
    assert_eq!(
        (at, action),
        (
            start + 40 * SECOND,
            LifetimeAction::Abort(CloseReason::ResponsesNotRead)
        )
    );
}

#[test]
fn a_shutdown_waits_for_open_requests_only() {
    let start = Instant::now();
    let busy = ActivitySnapshot {
        open_requests: 1,
        ..CONNECTED
    };
    let mut lifetime = ConnectionLifetime::new(LIMITS, start);
    lifetime.begin_shutdown();
    assert!(matches!(
        lifetime.next_action(start, busy, HANDSHAKE),
        LifetimeAction::CloseGracefully(CloseReason::Shutdown, _)
    ));
    for seconds in 1..1000 {
        assert!(matches!(
            lifetime.next_action(start + seconds * SECOND, busy, HANDSHAKE),
            LifetimeAction::Wait(_)
        ));
    }
    let done = ActivitySnapshot {
        progress: 9,
        ..CONNECTED
    };
    assert!(matches!(
        lifetime.next_action(start + 1000 * SECOND, done, HANDSHAKE),
        LifetimeAction::Wait(_)
    ));
    assert_eq!(
        lifetime.next_action(start + 1001 * SECOND, done, HANDSHAKE),
        LifetimeAction::Abort(CloseReason::NotClosedByPeer)
    );
}

#[test]
fn connections_that_begin_together_end_at_different_times() {
    let age = Duration::from_secs(1000);
    let mut ends: Vec<u64> = (0..100).map(|number| spread(age, number).as_secs()).collect();
    ends.sort_unstable();
    assert!(*ends.first().unwrap() >= 900 && *ends.last().unwrap() <= 1100);
    let widest = ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(widest <= 6, "{ends:?}");
}

#[test]
fn an_evicted_connection_has_a_second_to_close() {
    let start = Instant::now();
    let stream = ActivitySnapshot {
        open_requests: 1,
        ..CONNECTED
    };
    for begin_close_before in [false, true] {
        let mut lifetime = ConnectionLifetime::new(LIMITS, start);
        if begin_close_before {
            lifetime.begin_shutdown();
            lifetime.next_action(start, stream, HANDSHAKE);
        }
        lifetime.begin_eviction();
        let mut now = start;
        let mut last = lifetime.next_action(now, stream, HANDSHAKE);
        if !begin_close_before {
            assert!(
                matches!(last, LifetimeAction::CloseGracefully(CloseReason::Evicted, _)),
                "{last:?}"
            );
        }
        while let LifetimeAction::Wait(next) | LifetimeAction::CloseGracefully(_, next) = last {
            now = next;
            last = lifetime.next_action(now, stream, HANDSHAKE);
        }
        // A stream that does not end is aborted.
        assert_eq!(
            (now, last),
            (
                start + CLOSE_TIMEOUT,
                LifetimeAction::Abort(CloseReason::GracePeriodOver)
            )
        );
    }
}

#[test]
fn a_handshake_that_is_under_way_gets_the_shorter_timeout() {
    let start = Instant::now();
    let mut lifetime = ConnectionLifetime::new(LIMITS, start);
    let LifetimeAction::Wait(next) = lifetime.next_action(start, ActivitySnapshot::default(), HANDSHAKE) else {
        panic!("the connection has just begun")
    };
    assert!(next <= start + HANDSHAKE_CHECK_INTERVAL);
    assert_eq!(
        lifetime.next_action(next, ActivitySnapshot::default(), SECOND / 10),
        LifetimeAction::Abort(CloseReason::NoPreface)
    );
}

#[test]
fn the_handshake_timeout_shrinks_as_slots_run_out() {
    let timeout = |open| handshake_timeout(10 * SECOND, open, 512);
    assert_eq!(timeout(0), 10 * SECOND);
    assert_eq!(timeout(256), 10 * SECOND);
    // The geometric mean of both ends.
    assert_eq!(timeout(384).as_millis(), 2236);
    assert_eq!(timeout(512), SECOND / 2);
    assert_eq!(timeout(600), SECOND / 2);
    assert!((0..600).all(|open| timeout(open + 1) <= timeout(open)));
    // A shorter setting is never extended.
    assert_eq!(handshake_timeout(SECOND / 10, 512, 512), SECOND / 10);
    assert_eq!(handshake_timeout(SECOND, 0, 0), SECOND);
    assert_eq!(handshake_timeout(Duration::ZERO, 9, 9), Duration::ZERO);
}

#[test]
fn headers_that_do_not_end_abort_the_connection() {
    let start = Instant::now();
    let mut lifetime = ConnectionLifetime::new(LIMITS, start);
    // A request is open beside them.
    let unfinished = ActivitySnapshot {
        headers_begun_at: Some(start + 7 * SECOND),
        open_requests: 1,
        ..CONNECTED
    };
    let (at, action) = run_until_action(&mut lifetime, start + 8 * SECOND, unfinished);
    assert_eq!(
        (at, action),
        (
            start + 12 * SECOND,
            LifetimeAction::Abort(CloseReason::HeadersIncomplete)
        )
    );
}
