//! What runs, in which order, and what need not.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use super::*;

#[tokio::test]
async fn a_job_larger_than_a_batch_comes_back_whole_and_in_order() {
    let scheduler = scheduler(2, 4, |_, _| Ok(()));
    let outputs = in_time(submit(&scheduler, 0, 11)).await.unwrap();
    assert_eq!(
        outputs.rows.robust,
        (0..11u8).map(|row| 2.0 * f32::from(row)).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn the_two_rows_of_one_job_run_at_the_same_time() {
    // Each model waits inside its run for the other: one after the other would never end.
    let barrier = Arc::new(Barrier::new(2));
    let (works, opens) = flags();
    let during: During = Arc::new(move |_, _| {
        barrier.wait();
        Ok(())
    });
    let executor = |_| PerRole::of(|_| double(1, &during, &works, &opens));
    let scheduler = start((0..2).map(executor).collect(), 10);
    let demand = Demand {
        outstanding: PerRole { standard: 1, robust: 1 },
        ..Demand::default()
    };
    let room = scheduler.admit(Priority::Interactive, soon(), &demand).unwrap();
    let outputs = in_time(room.submit(Box::new(Counting(3)), demand.outstanding))
        .await
        .unwrap();
    assert_eq!((outputs.rows.standard, outputs.rows.robust), (vec![6.0], vec![6.0]));
}
#[tokio::test]
async fn a_caller_who_left_costs_no_run() {
    let (gate, pass) = gate();
    let run = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&run);
    let scheduler = scheduler(1, 1, move |input, _| {
        counted.fetch_add(input.len(), Ordering::SeqCst);
        pass(input);
        Ok(())
    });
    let running = submit(&scheduler, 0, 1);
    gate.comes();
    drop(submit(&scheduler, 1, 5));
    let last = submit(&scheduler, 9, 1);
    drop(gate);
    in_time(running).await.unwrap();
    in_time(last).await.unwrap();
    assert_eq!(run.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_run_that_everybody_left_is_ended() {
    let (begin, began) = channel();
    let begin = std::sync::Mutex::new(begin);
    let scheduler = scheduler(1, 4, move |input, halt| {
        // Like a long run of a runtime that looks at its flag.
        let stop = Arc::new(AtomicBool::new(false));
        let trigger = {
            let stop = Arc::clone(&stop);
            move || stop.store(true, Ordering::SeqCst)
        };
        let ended = halt.guard(trigger, || {
            begin.lock().unwrap().send(input.to_vec()).unwrap();
            let start = Instant::now();
            while !stop.load(Ordering::SeqCst) {
                assert!(input == [7.0] || start.elapsed() < PATIENCE, "nobody ends it");
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
            Err(BackendError::Halted)
        }
    });
    let alone = submit(&scheduler, 0, 1);
    began.recv_timeout(PATIENCE).unwrap();
    // These two wait, and will run together.
    let (left, right) = (submit(&scheduler, 1, 1), submit(&scheduler, 2, 1));
    drop(alone);
    assert_eq!(began.recv_timeout(PATIENCE).unwrap(), [1.0, 2.0]);
    drop(left);
    let last = submit(&scheduler, 7, 1);
    assert!(
        began.recv_timeout(Duration::from_millis(50)).is_err(),
        "one of the two still waits"
    );
    drop(right);
    in_time(last).await.unwrap();
    assert!(*scheduler.healthy().borrow(), "a run that was ended is no failure");
}

#[tokio::test]
async fn late_rows_are_answered_without_a_run() {
    let scheduler = scheduler(1, 1, |_, _| Err(failed("must not run")));
    let room = scheduler
        .admit(Priority::Interactive, Instant::now(), &outstanding(1))
        .unwrap();
    let late = in_time(room.submit(Box::new(Counting(0)), rows(1))).await;
    assert_eq!(late, Err(ScheduleError::Expired));
}

#[tokio::test]
async fn room_is_bounded_and_comes_back() {
    let scheduler = scheduler(1, 4, |_, _| Ok(()));
    let room = scheduler
        .admit(Priority::Interactive, soon(), &outstanding(80))
        .unwrap();
    assert!(
        scheduler
            .admit(Priority::Interactive, soon(), &outstanding(30))
            .is_err()
    );
    drop(room);
    assert!(
        scheduler
            .admit(Priority::Interactive, soon(), &outstanding(100))
            .is_ok()
    );
}

/// However many rows of a bulk job wait, an interactive row waits for no more than the batch that runs.
#[tokio::test]
async fn an_interactive_row_waits_for_one_bulk_batch_at_most() {
    let (gate, pass) = gate();
    let scheduler = scheduler(1, 2, move |input, _| {
        pass(input);
        Ok(())
    });
    let room = scheduler.admit(Priority::Bulk, soon(), &outstanding(50)).unwrap();
    let bulk = room.submit(Box::new(Counting(100)), rows(50));
    assert_eq!(gate.comes(), [100.0, 101.0]);
    let urgent = submit(&scheduler, 1, 1);
    gate.lets_one_pass();
    assert_eq!(gate.comes(), [1.0, 102.0], "bulk fills the slot that is left");
    drop(gate);
    in_time(urgent).await.unwrap();
    in_time(bulk).await.unwrap();
}

#[tokio::test]
async fn stopping_answers_what_waits() {
    let (gate, pass) = gate();
    let scheduler = scheduler(1, 1, move |input, _| {
        pass(input);
        Ok(())
    });
    let (running, waiting) = (submit(&scheduler, 0, 1), submit(&scheduler, 1, 1));
    gate.comes();
    let stop = std::thread::spawn(move || drop(scheduler));
    assert_eq!(in_time(waiting).await, Err(ScheduleError::Stopping));
    drop(gate);
    assert!(in_time(running).await.is_ok());
    stop.join().unwrap();
}
