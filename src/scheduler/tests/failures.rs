//! Tests of failures and of their extent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_bad_row_fails_only_its_own_request() {
    let (gate, pass) = gate();
    let on_run = move |input: &[f32], _: &Cancellation| {
        if input == [0.0] {
            pass(input);
        }
        match input {
            _ if input.contains(&13.0) => Err(failed("unlucky")),
            _ if input.contains(&66.0) => panic!("worse"),
            _ => Ok(()),
        }
    };
    let scheduler = scheduler(1, 8, on_run);
    let first = submit(&scheduler, 0, 1);
    gate.wait_for_run();
    // These rows share one batch.
    let jobs = [1, 13, 20, 66, 30].map(|row| submit(&scheduler, row, 1));
    gate.open_once();
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
async fn bad_inputs_never_make_a_model_unhealthy() {
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
async fn a_broken_session_is_reopened() {
    let (works, opens) = flags();
    let scheduler = fragile(1, &works, &opens);
    works.store(false, Ordering::SeqCst);
    in_time(submit(&scheduler, 1, 1)).await.unwrap_err();
    in_time(submit(&scheduler, 2, 1)).await.unwrap();
    assert!(*scheduler.healthy().borrow());
}

#[tokio::test]
async fn a_broken_model_fails_jobs_at_once_and_recovers() {
    let (works, opens) = flags();
    let scheduler = fragile(2, &works, &opens);
    let mut healthy = scheduler.healthy();
    works.store(false, Ordering::SeqCst);
    opens.store(false, Ordering::SeqCst);
    // The executors detect the failure one after the other. Then no executor is left to wait for.
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
async fn one_broken_session_does_not_make_a_model_unhealthy() {
    let (works, opens) = flags();
    let (broken, stays_so) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (good, bad): (RunHook, RunHook) = (Arc::new(|_, _| Ok(())), Arc::new(|_, _| Err(failed("broken"))));
    let with = |on_run, works, opens| PerRole {
        standard: double(1, &good, works, opens),
        robust: double(1, on_run, works, opens),
    };
    let backends = vec![with(&bad, &broken, &stays_so), with(&good, &works, &opens)];
    let scheduler = start(backends, 100);
    in_time(async { while submit(&scheduler, 1, 1).await.is_ok() {} }).await;
    let healthy = scheduler.healthy();
    // Several retries fail meanwhile.
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(*healthy.borrow() && !healthy.has_changed().unwrap());
    in_time(submit(&scheduler, 1, 1)).await.unwrap();
}

/// Two small rows become ready together. One executor takes the first row and intends to take the
/// second one next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_executor_takes_the_rows_of_one_whose_session_breaks() {
    let (gate, pass) = gate();
    let (works, opens) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (first, breaks) = (AtomicBool::new(true), Arc::clone(&works));
    let on_run: RunHook = Arc::new(move |input, _| {
        if !first.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        pass(input);
        breaks.store(false, Ordering::SeqCst);
        Err(failed("broken"))
    });
    let executor = |_| PerRole::of(|_| double(1, &on_run, &works, &opens));
    let scheduler = start_with_row_time(Duration::from_nanos(100), (0..2).map(executor).collect(), 100);
    // Both executors sleep by now.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let reservation = || {
        scheduler
            .admit(&share(), Priority::Interactive, far_deadline(), &outstanding(1))
            .unwrap()
    };
    let (left, right) = (reservation(), reservation());
    let left = left.submit_coalesced(Box::new(CountingRows(0)), rows(1));
    let right = right.submit_coalesced(Box::new(CountingRows(1)), rows(1));
    let both = tokio::spawn(in_time(async { tokio::join!(left, right) }));
    let opening = tokio::task::spawn_blocking(move || {
        gate.wait_for_run();
        gate.open_once();
    });
    opening.await.unwrap();
    let (left, right) = both.await.unwrap();
    assert!(left.is_err() && right.is_ok(), "{left:?} {right:?}");
}

/// A batch with too few outputs delivers nothing, so that no row is delivered twice.
#[tokio::test]
async fn a_batch_with_too_few_outputs_delivers_nothing() {
    struct TruncatingModel(DoublingModel);
    impl Backend for TruncatingModel {
        fn input_len(&self) -> usize {
            self.0.input_len()
        }
        fn output_len(&self) -> usize {
            self.0.output_len()
        }
        fn max_batch_size(&self) -> usize {
            self.0.max_batch_size()
        }
        fn pads_batches(&self) -> bool {
            false
        }
        fn run(
            &mut self,
            rows: usize,
            input: &[f32],
            output: &mut Vec<f32>,
            cancellation: &Cancellation,
        ) -> Result<(), BackendError> {
            self.0.run(rows, input, output, cancellation)?;
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
    let on_run: RunHook = Arc::new(move |input, _| {
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
        cpu_quota: None,
    };
    let backends = vec![PerRole::of(|_| TruncatingModel(double(4, &on_run, &works, &opens)))];
    let scheduler = Scheduler::start(backends, settings, &tokio::runtime::Handle::current(), &no_observer()).unwrap();
    let first = submit(&scheduler, 0, 1);
    gate.wait_for_run();
    // One batch of four rows returns three outputs; then each job runs alone.
    let (two, other_two) = (submit(&scheduler, 1, 2), submit(&scheduler, 5, 2));
    gate.open_once();
    in_time(first).await.unwrap();
    assert_eq!(in_time(two).await.unwrap().rows.robust, [2.0, 4.0]);
    assert_eq!(in_time(other_two).await.unwrap().rows.robust, [10.0, 12.0]);
}

#[tokio::test]
async fn rows_that_cannot_be_produced_fail_only_their_job() {
    struct FailingSource;
    impl RowSource for FailingSource {
        fn fill(&self, _: usize, _: &mut [f32]) -> Result<(), String> {
            panic!("cannot be made")
        }
    }
    let scheduler = scheduler(1, 4, |_, _| Ok(()));
    let reservation = scheduler
        .admit(&share(), Priority::Interactive, far_deadline(), &outstanding(1))
        .unwrap();
    let answer = in_time(reservation.submit(Box::new(FailingSource), rows(1))).await;
    assert!(matches!(answer, Err(ScheduleError::Failed(_))), "{answer:?}");
    in_time(submit(&scheduler, 0, 1)).await.unwrap();
}
