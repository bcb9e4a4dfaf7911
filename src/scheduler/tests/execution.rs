//! Tests of the order of runs, and of rows that need no run.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use super::*;

#[tokio::test]
async fn a_job_larger_than_a_batch_keeps_its_order() {
    let scheduler = scheduler(2, 4, |_, _| Ok(()));
    let outputs = in_time(submit(&scheduler, 0, 11)).await.unwrap();
    assert_eq!(
        outputs.rows.robust,
        (0..11u8).map(|row| 2.0 * f32::from(row)).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn the_two_rows_of_one_job_run_concurrently() {
    // Each model waits in its run for the other, so sequential runs would never end.
    let barrier = Arc::new(Barrier::new(2));
    let (works, opens) = flags();
    let on_run: RunHook = Arc::new(move |_, _| {
        barrier.wait();
        Ok(())
    });
    let executor = |_| PerRole::of(|_| double(1, &on_run, &works, &opens));
    let scheduler = start((0..2).map(executor).collect(), 10);
    let demand = Demand {
        outstanding: PerRole { standard: 1, robust: 1 },
        ..Demand::default()
    };
    let reservation = scheduler
        .admit(&share(), Priority::Interactive, far_deadline(), &demand)
        .unwrap();
    let outputs = in_time(reservation.submit(Box::new(CountingRows(3)), demand.outstanding))
        .await
        .unwrap();
    assert_eq!((outputs.rows.standard, outputs.rows.robust), (vec![6.0], vec![6.0]));
}
#[tokio::test]
async fn an_abandoned_job_does_not_run() {
    let (gate, pass) = gate();
    let run = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&run);
    let scheduler = scheduler(1, 1, move |input, _| {
        counted.fetch_add(input.len(), Ordering::SeqCst);
        pass(input);
        Ok(())
    });
    let running = submit(&scheduler, 0, 1);
    gate.wait_for_run();
    drop(submit(&scheduler, 1, 5));
    let last = submit(&scheduler, 9, 1);
    drop(gate);
    in_time(running).await.unwrap();
    in_time(last).await.unwrap();
    assert_eq!(run.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_run_of_abandoned_jobs_is_terminated() {
    let (begin, began) = channel();
    let begin = std::sync::Mutex::new(begin);
    let scheduler = scheduler(1, 4, move |input, cancellation| {
        // This run polls a flag as ONNX Runtime does.
        let stop = Arc::new(AtomicBool::new(false));
        let on_cancel = {
            let stop = Arc::clone(&stop);
            move || stop.store(true, Ordering::SeqCst)
        };
        let ended = cancellation.run_cancellable(on_cancel, || {
            begin.lock().unwrap().send(input.to_vec()).unwrap();
            let start = Instant::now();
            while !stop.load(Ordering::SeqCst) {
                assert!(
                    input == [7.0] || start.elapsed() < TEST_TIMEOUT,
                    "the run is not terminated"
                );
                if input == [7.0] {
                    return false;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            true
        });
        if ended == Some(false) {
            Ok(())
        } else {
            Err(BackendError::Cancelled)
        }
    });
    let alone = submit(&scheduler, 0, 1);
    began.recv_timeout(TEST_TIMEOUT).unwrap();
    // These two wait and run together.
    let (left, right) = (submit(&scheduler, 1, 1), submit(&scheduler, 2, 1));
    drop(alone);
    assert_eq!(began.recv_timeout(TEST_TIMEOUT).unwrap(), [1.0, 2.0]);
    drop(left);
    let last = submit(&scheduler, 7, 1);
    assert!(
        began.recv_timeout(Duration::from_millis(50)).is_err(),
        "one of the two jobs is still wanted"
    );
    drop(right);
    in_time(last).await.unwrap();
    assert!(*scheduler.healthy().borrow(), "a terminated run is not a failure");
}

#[tokio::test]
async fn expired_rows_are_answered_without_a_run() {
    let scheduler = scheduler(1, 1, |_, _| Err(failed("must not run")));
    let reservation = scheduler
        .admit(&share(), Priority::Interactive, Instant::now(), &outstanding(1))
        .unwrap();
    let late = in_time(reservation.submit(Box::new(CountingRows(0)), rows(1))).await;
    assert_eq!(late, Err(ScheduleError::Expired));
}

#[tokio::test]
async fn capacity_is_bounded_and_returned() {
    let scheduler = scheduler(1, 4, |_, _| Ok(()));
    let reservation = scheduler
        .admit(&share(), Priority::Interactive, far_deadline(), &outstanding(80))
        .unwrap();
    assert!(
        scheduler
            .admit(&share(), Priority::Interactive, far_deadline(), &outstanding(30))
            .is_err()
    );
    drop(reservation);
    assert!(
        scheduler
            .admit(&share(), Priority::Interactive, far_deadline(), &outstanding(100))
            .is_ok()
    );
}

/// An interactive row waits for the running batch only, regardless of the number of waiting bulk rows.
#[tokio::test]
async fn an_interactive_row_waits_for_one_bulk_batch_at_most() {
    let (gate, pass) = gate();
    let scheduler = scheduler(1, 2, move |input, _| {
        pass(input);
        Ok(())
    });
    let reservation = scheduler
        .admit(&share(), Priority::Bulk, far_deadline(), &outstanding(50))
        .unwrap();
    let bulk = reservation.submit(Box::new(CountingRows(100)), rows(50));
    assert_eq!(gate.wait_for_run(), [100.0, 101.0]);
    let urgent = submit(&scheduler, 1, 1);
    gate.open_once();
    assert_eq!(gate.wait_for_run(), [1.0, 102.0], "a bulk row fills the free slot");
    drop(gate);
    in_time(urgent).await.unwrap();
    in_time(bulk).await.unwrap();
}

#[tokio::test]
async fn a_stop_answers_waiting_jobs() {
    let (gate, pass) = gate();
    let scheduler = scheduler(1, 1, move |input, _| {
        pass(input);
        Ok(())
    });
    let (running, waiting) = (submit(&scheduler, 0, 1), submit(&scheduler, 1, 1));
    gate.wait_for_run();
    let stop = std::thread::spawn(move || drop(scheduler));
    assert_eq!(in_time(waiting).await, Err(ScheduleError::Stopping));
    drop(gate);
    assert!(in_time(running).await.is_ok());
    stop.join().unwrap();
}
