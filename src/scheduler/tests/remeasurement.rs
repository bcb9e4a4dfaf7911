//! An estimate that is too high heals without traffic.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;

fn demand() -> Demand {
    let rows = PerRole { standard: 1, robust: 1 };
    Demand {
        outstanding: PerRole { standard: 1, robust: 1 },
        expected: rows,
        needed: rows,
    }
}

/// The estimate is a hundred times too high, as after a stall, and no request is admitted that could
/// correct it. The first request is refused. An idle executor measures again, and a later one is
/// admitted.
#[tokio::test]
async fn an_estimate_that_is_too_high_heals_on_an_idle_server() {
    let (works, opens) = flags();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let on_run: RunHook = Arc::new(move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let executor = |_| PerRole::of(|_| double(4, &on_run, &works, &opens));
    let scheduler = start_with_row_time(Duration::from_secs(60), (0..2).map(executor).collect(), 100);
    let admit = || {
        let deadline = Instant::now() + Duration::from_secs(20);
        scheduler.admit(&share(), Priority::Interactive, deadline, &demand())
    };
    assert!(matches!(admit(), Err(Refusal::TooShort { .. })));
    let start = Instant::now();
    while admit().is_err() {
        assert!(start.elapsed() < TEST_TIMEOUT, "the estimate does not heal");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // One run of each model: each refusal asked for a measurement, and none was due a second time.
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

/// A caller that sends requests which no server can answer in time does not keep the executors busy.
#[tokio::test]
async fn refusals_cause_few_measurements() {
    let runs = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&runs);
    let scheduler = scheduler(1, 1, move |_, _| {
        recorded.lock().unwrap().push(Instant::now());
        Ok(())
    });
    let hopeless = Demand {
        needed: PerRole {
            standard: 0,
            robust: 1_000_000_000,
        },
        ..demand()
    };
    let start = Instant::now();
    while runs.lock().unwrap().len() < 2 {
        assert!(start.elapsed() < TEST_TIMEOUT, "the executor does not measure again");
        let refused = scheduler.admit(
            &share(),
            Priority::Bulk,
            Instant::now() + Duration::from_millis(1),
            &hopeless,
        );
        assert!(matches!(refused, Err(Refusal::TooShort { .. })));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let runs = runs.lock().unwrap();
    let between = runs[1].duration_since(runs[0]);
    assert!(
        between >= Duration::from_millis(900),
        "measured again after {between:?}"
    );
}
