use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use super::*;
use crate::domain::{PerRole, Role};
use crate::onnx::{Backend, BackendError, Halt};

type During = Arc<dyn Fn(&[f32], &Halt) -> Result<(), BackendError> + Send + Sync>;

/// Doubles each value; what it does beside that is up to the test.
struct Double {
    batch: usize,
    during: During,
    works: Arc<AtomicBool>,
    opens: Arc<AtomicBool>,
}

impl Backend for Double {
    fn input_len(&self) -> usize {
        1
    }
    fn output_len(&self) -> usize {
        1
    }
    fn max_batch_size(&self) -> usize {
        self.batch
    }
    fn pads(&self) -> bool {
        false
    }
    fn run(&mut self, rows: usize, input: &[f32], output: &mut Vec<f32>, halt: &Halt) -> Result<(), BackendError> {
        assert_eq!(input.len(), rows);
        (self.during)(input, halt)?;
        output.clear();
        output.extend(input.iter().map(|value| 2.0 * value));
        Ok(())
    }
    fn probe(&mut self) -> Result<(), BackendError> {
        if self.works.load(Ordering::SeqCst) {
            Ok(())
        } else {
            Err(failed("the probe"))
        }
    }
    fn reopen(&self) -> Result<Self, BackendError> {
        if !self.opens.load(Ordering::SeqCst) {
            return Err(failed("opening"));
        }
        self.works.store(true, Ordering::SeqCst);
        Ok(double(self.batch, &self.during, &self.works, &self.opens))
    }
}

fn double(batch: usize, during: &During, works: &Arc<AtomicBool>, opens: &Arc<AtomicBool>) -> Double {
    Double {
        batch,
        during: Arc::clone(during),
        works: Arc::clone(works),
        opens: Arc::clone(opens),
    }
}

fn failed(reason: &str) -> BackendError {
    BackendError::Failed {
        model: "double".to_owned(),
        reason: reason.to_owned(),
    }
}

/// Flags of [`Double`]: whether its probe works, and whether it can be opened anew.
fn flags() -> (Arc<AtomicBool>, Arc<AtomicBool>) {
    (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)))
}

fn start(backends: Vec<PerRole<Double>>, rows: usize) -> Scheduler {
    let settings = QueueSettings {
        rows,
        max_delay: Duration::ZERO,
        pin: None,
        row_time: PerRole::of(|_| Duration::from_millis(1)),
    };
    Scheduler::start(backends, settings, &tokio::runtime::Handle::current()).unwrap()
}

/// A scheduler whose robust model does `during`.
fn scheduler(
    executors: usize,
    batch: usize,
    during: impl Fn(&[f32], &Halt) -> Result<(), BackendError> + Send + Sync + 'static,
) -> Scheduler {
    let (works, opens) = flags();
    let (during, nothing): (During, During) = (Arc::new(during), Arc::new(|_, _| Ok(())));
    let executor = |_| PerRole {
        standard: double(batch, &nothing, &works, &opens),
        robust: double(batch, &during, &works, &opens),
    };
    start((0..executors).map(executor).collect(), 100)
}

/// A scheduler whose models work while `works` says so. Opening a session anew sets it, while `opens` allows it.
fn fragile(executors: usize, works: &Arc<AtomicBool>, opens: &Arc<AtomicBool>) -> Scheduler {
    let inside = Arc::clone(works);
    let during: During = Arc::new(move |_, _| {
        let works = inside.load(Ordering::SeqCst);
        works.then_some(()).ok_or_else(|| failed("broken"))
    });
    let executor = |_| PerRole::of(|_| double(1, &during, works, opens));
    start((0..executors).map(executor).collect(), 100)
}

/// Row `i` is `first + i`.
struct Counting(u16);

impl RowSource for Counting {
    fn fill(&self, row: usize, out: &mut [f32]) -> Result<(), String> {
        out[0] = f32::from(self.0 + u16::try_from(row).unwrap());
        Ok(())
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn rows(robust: usize) -> PerRole<usize> {
    PerRole { standard: 0, robust }
}

fn outstanding(robust: usize) -> Demand {
    Demand {
        outstanding: rows(robust),
        ..Demand::default()
    }
}

/// Rows of the robust model, from `first` on.
fn submit(scheduler: &Scheduler, first: u16, count: usize) -> Pending {
    scheduler
        .admit(Class::Interactive, soon(), &outstanding(count))
        .unwrap()
        .submit(Box::new(Counting(first)), rows(count))
}

/// Something that a run does not go past before the test says so.
struct Gate {
    entered: Receiver<Vec<f32>>,
    open: Sender<()>,
}

fn gate() -> (Gate, impl Fn(&[f32]) + Send + Sync + 'static) {
    let ((enter, entered), (open, opened)) = (channel(), channel());
    let (enter, opened) = (std::sync::Mutex::new(enter), std::sync::Mutex::new(opened));
    let pass = move |input: &[f32]| {
        // A gate that is gone is open.
        let _ = enter.lock().unwrap().send(input.to_vec());
        let _ = opened.lock().unwrap().recv();
    };
    (Gate { entered, open }, pass)
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Gate {
    /// Waits for a run to come to the gate; its rows.
    fn comes(&self) -> Vec<f32> {
        self.entered.recv_timeout(PATIENCE).expect("no run comes")
    }
    fn lets_one_pass(&self) {
        self.open.send(()).unwrap();
    }
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it takes too long")
}

#[tokio::test]
async fn a_job_larger_than_a_batch_comes_back_whole_and_in_order() {
    let scheduler = scheduler(2, 4, |_, _| Ok(()));
    let outputs = in_time(submit(&scheduler, 0, 11)).await.unwrap();
    assert_eq!(
        outputs.robust,
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
    let room = scheduler.admit(Class::Interactive, soon(), &demand).unwrap();
    let outputs = in_time(room.submit(Box::new(Counting(3)), demand.outstanding))
        .await
        .unwrap();
    assert_eq!((outputs.standard, outputs.robust), (vec![6.0], vec![6.0]));
}

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
        answers.push(in_time(job).await.map(|outputs| outputs.robust[0]));
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
        .admit(Class::Interactive, Instant::now(), &outstanding(1))
        .unwrap();
    let late = in_time(room.submit(Box::new(Counting(0)), rows(1))).await;
    assert_eq!(late, Err(ScheduleError::Expired));
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
    let room = scheduler.admit(Class::Interactive, soon(), &outstanding(1)).unwrap();
    let answer = in_time(room.submit(Box::new(Impossible), rows(1))).await;
    assert!(matches!(answer, Err(ScheduleError::Failed(_))), "{answer:?}");
    in_time(submit(&scheduler, 0, 1)).await.unwrap();
}

#[tokio::test]
async fn room_is_bounded_and_comes_back() {
    let scheduler = scheduler(1, 4, |_, _| Ok(()));
    let room = scheduler.admit(Class::Interactive, soon(), &outstanding(80)).unwrap();
    assert!(scheduler.admit(Class::Interactive, soon(), &outstanding(30)).is_err());
    drop(room);
    assert!(scheduler.admit(Class::Interactive, soon(), &outstanding(100)).is_ok());
}

/// However many rows of a bulk job wait, an interactive row waits for no more than the batch that runs.
#[tokio::test]
async fn an_interactive_row_waits_for_one_bulk_batch_at_most() {
    let (gate, pass) = gate();
    let scheduler = scheduler(1, 2, move |input, _| {
        pass(input);
        Ok(())
    });
    let room = scheduler.admit(Class::Bulk, soon(), &outstanding(50)).unwrap();
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
