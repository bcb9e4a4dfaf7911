//! What fails, and whom it concerns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_bad_row_fails_its_own_request_alone() {
    let (gate, pass) = gate();
    let during = move |input: &[f32], _: &Halt| {
        if input == [0.0] {
            pass(input);
        }
        match input {
            _ if input.contains(&13.0) => Err(failed("unlucky")),
            _ if input.contains(&66.0) => panic!("worse"),
            _ => Ok(()),
        }
    };
    let scheduler = scheduler(1, 8, during);
    let first = submit(&scheduler, 0, 1);
    gate.comes();
    // They meet in one batch.
    let jobs = [1, 13, 20, 66, 30].map(|row| submit(&scheduler, row, 1));
    gate.lets_one_pass();
    in_time(first).await.unwrap();
    let mut answers = Vec::new();
    for job in jobs {
        answers.push(in_time(job).await.map(|outputs| outputs.rows.robust[0]));
    }
    let fail = || Err(ScheduleError::Failed("the robust model failed".to_owned()));
    assert_eq!(answers, [Ok(2.0), fail(), Ok(40.0), fail(), Ok(60.0)]);
    assert!(*scheduler.healthy().borrow());
    in_time(submit(&scheduler, 5, 1)).await.unwrap();
}

#[tokio::test]
async fn inputs_that_the_model_cannot_take_never_turn_health() {
    let scheduler = scheduler(
        1,
        1,
        |input, _| if input == [13.0] { Err(failed("no")) } else { Ok(()) },
    );
    let mut healthy = scheduler.healthy();
    for _ in 0..20 {
        in_time(submit(&scheduler, 13, 1)).await.unwrap_err();
    }
    in_time(submit(&scheduler, 1, 1)).await.unwrap();
    assert!(!healthy.has_changed().unwrap() && *healthy.borrow_and_update());
}

#[tokio::test]
async fn a_broken_session_is_opened_anew() {
    let (works, opens) = flags();
    let scheduler = fragile(1, &works, &opens);
    works.store(false, Ordering::SeqCst);
    in_time(submit(&scheduler, 1, 1)).await.unwrap_err();
    in_time(submit(&scheduler, 2, 1)).await.unwrap();
    assert!(*scheduler.healthy().borrow());
}

#[tokio::test]
async fn a_model_that_stays_broken_answers_at_once_and_comes_back() {
    let (works, opens) = flags();
    let scheduler = fragile(2, &works, &opens);
    let mut healthy = scheduler.healthy();
    works.store(false, Ordering::SeqCst);
    opens.store(false, Ordering::SeqCst);
    // The executors find out one after the other; then there is nobody left to wait for.
    in_time(async {
        while in_time(submit(&scheduler, 1, 1)).await != Err(ScheduleError::Broken { role: Role::Robust }) {}
    })
    .await;
    in_time(healthy.wait_for(|healthy| !healthy)).await.unwrap();
    opens.store(true, Ordering::SeqCst);
    in_time(healthy.wait_for(|healthy| *healthy)).await.unwrap();
    in_time(submit(&scheduler, 1, 1)).await.unwrap();
}

#[tokio::test]
async fn one_session_that_stays_broken_does_not_turn_health() {
    let (works, opens) = flags();
    let (broken, stays_so) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (good, bad): (During, During) = (Arc::new(|_, _| Ok(())), Arc::new(|_, _| Err(failed("broken"))));
    let with = |during, works, opens| PerRole {
        standard: double(1, &good, works, opens),
        robust: double(1, during, works, opens),
    };
    let backends = vec![with(&bad, &broken, &stays_so), with(&good, &works, &opens)];
    let scheduler = start(backends, 100);
    in_time(async { while submit(&scheduler, 1, 1).await.is_ok() {} }).await;
    let healthy = scheduler.healthy();
    // Several attempts to open it anew fail meanwhile, and nothing else happens.
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(*healthy.borrow() && !healthy.has_changed().unwrap());
    in_time(submit(&scheduler, 1, 1)).await.unwrap();
}

/// Two small rows become ready together, and one executor takes the first, meaning to come back for the second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_executor_leaves_when_its_session_breaks_is_taken_by_another() {
    let (gate, pass) = gate();
    let (works, opens) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (first, breaks) = (AtomicBool::new(true), Arc::clone(&works));
    let during: During = Arc::new(move |input, _| {
        if !first.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        pass(input);
        breaks.store(false, Ordering::SeqCst);
        Err(failed("broken"))
    });
    let executor = |_| PerRole::of(|_| double(1, &during, &works, &opens));
    let scheduler = start_with_rows_of(Duration::from_nanos(100), (0..2).map(executor).collect(), 100);
    // Both executors sleep.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let room = || scheduler.admit(Priority::Interactive, soon(), &outstanding(1)).unwrap();
    let (left, right) = (room(), room());
    let left = left.submit_with_others(Box::new(Counting(0)), rows(1));
    let right = right.submit_with_others(Box::new(Counting(1)), rows(1));
    let both = tokio::spawn(in_time(async { tokio::join!(left, right) }));
    let opening = tokio::task::spawn_blocking(move || {
        gate.comes();
        gate.lets_one_pass();
    });
    opening.await.unwrap();
    let (left, right) = both.await.unwrap();
    assert!(left.is_err() && right.is_ok(), "{left:?} {right:?}");
}

/// Too few outputs are no outputs: what has been delivered must not be delivered again.
#[tokio::test]
async fn a_backend_that_answers_too_little_delivers_nothing() {
    struct Short(Double);
    impl Backend for Short {
        fn input_len(&self) -> usize {
            self.0.input_len()
        }
        fn output_len(&self) -> usize {
            self.0.output_len()
        }
        fn max_batch_size(&self) -> usize {
            self.0.max_batch_size()
        }
        fn pads(&self) -> bool {
            false
        }
        fn run(&mut self, rows: usize, input: &[f32], output: &mut Vec<f32>, halt: &Halt) -> Result<(), BackendError> {
            self.0.run(rows, input, output, halt)?;
            if rows > 2 {
                output.pop();
            }
            Ok(())
        }
        fn probe(&mut self) -> Result<(), BackendError> {
            self.0.probe()
        }
        fn reopen(&self) -> Result<Self, BackendError> {
            self.0.reopen().map(Self)
        }
    }
    let (gate, pass) = gate();
    let during: During = Arc::new(move |input, _| {
        if input == [0.0] {
            pass(input);
        }
        Ok(())
    });
    let (works, opens) = flags();
    let settings = QueueSettings {
        rows: 100,
        max_delay: Duration::ZERO,
        pin: None,
        row_time: PerRole::of(|_| Duration::from_millis(1)),
    };
    let backends = vec![PerRole::of(|_| Short(double(4, &during, &works, &opens)))];
    let scheduler = Scheduler::start(backends, settings, &tokio::runtime::Handle::current(), &nobody()).unwrap();
    let first = submit(&scheduler, 0, 1);
    gate.comes();
    // One batch of four rows, which answers three; then each job by itself.
    let (two, other_two) = (submit(&scheduler, 1, 2), submit(&scheduler, 5, 2));
    gate.lets_one_pass();
    in_time(first).await.unwrap();
    assert_eq!(in_time(two).await.unwrap().rows.robust, [2.0, 4.0]);
    assert_eq!(in_time(other_two).await.unwrap().rows.robust, [10.0, 12.0]);
}

#[tokio::test]
async fn rows_that_cannot_be_made_fail_their_job_alone() {
    struct Impossible;
    impl RowSource for Impossible {
        fn fill(&self, _: usize, _: &mut [f32]) -> Result<(), String> {
            panic!("cannot be made")
        }
    }
    let scheduler = scheduler(1, 4, |_, _| Ok(()));
    let room = scheduler.admit(Priority::Interactive, soon(), &outstanding(1)).unwrap();
    let answer = in_time(room.submit(Box::new(Impossible), rows(1))).await;
    assert!(matches!(answer, Err(ScheduleError::Failed(_))), "{answer:?}");
    in_time(submit(&scheduler, 0, 1)).await.unwrap();
}
