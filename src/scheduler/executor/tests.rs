use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::onnx::BackendError;
use crate::scheduler::{Pending, RowSource};

/// Doubles each value; what it does beside that is up to the test.
struct Double<F> {
    batch: usize,
    during: F,
}

impl<F: FnMut(usize) -> Result<(), String> + Send + 'static> Backend for Double<F> {
    fn input_len(&self) -> usize {
        1
    }
    fn output_len(&self) -> usize {
        1
    }
    fn max_batch_size(&self) -> usize {
        self.batch
    }
    fn run(&mut self, rows: usize, input: &[f32], output: &mut Vec<f32>) -> Result<(), BackendError> {
        (self.during)(rows).map_err(|reason| BackendError {
            model: "double".to_owned(),
            reason,
        })?;
        output.clear();
        output.extend(input.iter().map(|value| 2.0 * value));
        Ok(())
    }
}

struct Counting;

impl RowSource for Counting {
    fn fill(&self, row: usize, out: &mut [f32]) -> Result<(), String> {
        out[0] = f32::from(u16::try_from(row).unwrap());
        Ok(())
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn submit(scheduler: &Scheduler, rows: usize) -> Pending {
    scheduler
        .reserve(rows, Class::Interactive)
        .unwrap()
        .submit(Box::new(Counting), rows, Class::Interactive, soon())
}

#[tokio::test]
async fn a_job_larger_than_a_batch_comes_back_whole_and_in_order() {
    let backends = (0..2)
        .map(|_| Double {
            batch: 4,
            during: |_| Ok(()),
        })
        .collect();
    let scheduler = Scheduler::start("double", backends, 100).unwrap();
    let outputs = submit(&scheduler, 11).await.unwrap();
    assert_eq!(outputs, (0..11u8).map(|row| 2.0 * f32::from(row)).collect::<Vec<_>>());
}

#[tokio::test]
async fn two_executors_run_at_the_same_time() {
    // Each waits inside its run for the other: one after the other would never end.
    let barrier = Arc::new(Barrier::new(2));
    let backends = (0..2)
        .map(|_| {
            let barrier = Arc::clone(&barrier);
            let during = move |_| {
                barrier.wait();
                Ok(())
            };
            Double { batch: 1, during }
        })
        .collect();
    let scheduler = Scheduler::start("double", backends, 100).unwrap();
    let (left, right) = tokio::join!(submit(&scheduler, 1), submit(&scheduler, 1));
    assert!(left.is_ok() && right.is_ok());
}

#[tokio::test]
async fn a_failed_batch_fails_its_own_requests_alone() {
    let mut runs = 0;
    let during = move |_| {
        runs += 1;
        match runs {
            1 => Err("no".to_owned()),
            2 => panic!("worse"),
            _ => Ok(()),
        }
    };
    let scheduler = Scheduler::start("double", vec![Double { batch: 4, during }], 100).unwrap();
    assert!(matches!(submit(&scheduler, 1).await, Err(ScheduleError::Failed(_))));
    assert!(matches!(submit(&scheduler, 1).await, Err(ScheduleError::Failed(_))));
    assert!(submit(&scheduler, 1).await.is_ok());
}

#[tokio::test]
async fn a_caller_who_left_costs_no_run() {
    let rows_run = Arc::new(AtomicUsize::new(0));
    let (gate, counted) = (Arc::new(Barrier::new(2)), Arc::clone(&rows_run));
    let (inside, mut first) = (Arc::clone(&gate), true);
    let during = move |rows| {
        counted.fetch_add(rows, Ordering::SeqCst);
        if std::mem::take(&mut first) {
            inside.wait();
        }
        Ok(())
    };
    let scheduler = Scheduler::start("double", vec![Double { batch: 1, during }], 100).unwrap();
    let running = submit(&scheduler, 1);
    while rows_run.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    drop(submit(&scheduler, 5));
    let last = submit(&scheduler, 1);
    gate.wait();
    assert!(running.await.is_ok() && last.await.is_ok());
    assert_eq!(rows_run.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn late_rows_are_answered_without_a_run() {
    let during = |_| Err("must not run".to_owned());
    let scheduler = Scheduler::start("double", vec![Double { batch: 1, during }], 100).unwrap();
    let room = scheduler.reserve(1, Class::Interactive).unwrap();
    let late = room.submit(Box::new(Counting), 1, Class::Interactive, Instant::now());
    assert!(matches!(late.await, Err(ScheduleError::Expired)));
}

#[tokio::test]
async fn room_is_bounded_and_comes_back() {
    let scheduler = Scheduler::start(
        "double",
        vec![Double {
            batch: 4,
            during: |_| Ok(()),
        }],
        10,
    )
    .unwrap();
    let room = scheduler.reserve(8, Class::Interactive).unwrap();
    assert!(scheduler.reserve(3, Class::Interactive).is_err());
    drop(room);
    assert!(scheduler.reserve(10, Class::Interactive).is_ok());
}

#[tokio::test]
async fn stopping_answers_what_waits() {
    let (gate, started) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
    let (inside, counted) = (Arc::clone(&gate), Arc::clone(&started));
    let during = move |rows| {
        counted.fetch_add(rows, Ordering::SeqCst);
        inside.wait();
        Ok(())
    };
    let scheduler = Scheduler::start("double", vec![Double { batch: 1, during }], 100).unwrap();
    let (running, waiting) = (submit(&scheduler, 1), submit(&scheduler, 1));
    while started.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let stop = std::thread::spawn(move || drop(scheduler));
    assert!(matches!(waiting.await, Err(ScheduleError::Stopping)));
    gate.wait();
    assert!(running.await.is_ok());
    stop.join().unwrap();
}
