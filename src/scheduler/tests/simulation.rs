//! A simulation of admission, queue and executors: every row takes exactly its estimated time, and a
//! quota pauses the executors as the kernel does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::call::{Caller, Principal};
use crate::domain::{PerRole, Priority, Role};
use crate::scheduler::admission::Admissions;
use crate::scheduler::demand_meter::DemandMeter;
use crate::scheduler::queue::{Batch, BatchLimits, ExecutorState, Queue};
use crate::scheduler::row_time::{BatchTime, RowTimes};
use crate::scheduler::urgency::AdmittedRequest;
use crate::scheduler::{CallerShare, Demand, Refusal};
use crate::settings::CpuQuota;

/// The executor continues with one model for this many batches.
const MAX_STREAK: u32 = 4;

/// Microseconds since the start of the simulation.
pub(super) type Micros = u64;

/// A request that arrives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) at: Micros,
    pub(super) principal: u32,
    pub(super) connection: u64,
    pub(super) priority: Priority,
    /// The time from the arrival to the deadline.
    pub(super) timeout: Micros,
    /// The rows that it submits at most, and the rows that it needs for an answer.
    pub(super) rows: PerRole<u64>,
    pub(super) needed: PerRole<u64>,
    /// It keeps at most this many rows of the robust model outstanding.
    pub(super) in_flight: u64,
    /// The time after which its caller leaves.
    pub(super) leaves_after: Option<Micros>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    Answered { after: Micros },
    Late,
    Left,
    Refused(Refusal),
}

struct Live {
    arrival: Arrival,
    admitted: AdmittedRequest,
    submitted: PerRole<u64>,
    done: PerRole<u64>,
}

struct Run {
    since: Micros,
    until: Micros,
    /// The part of the time in which the executor had no processor.
    paused: Micros,
    batch: Batch<usize>,
}

/// A quota as the kernel applies it, and its use in the present period.
#[derive(Debug, Clone, Copy)]
struct Throttle {
    quota: Micros,
    period: Micros,
    period_start: Micros,
    used: Micros,
}

/// The run of an executor, and the model of its latest runs with their number.
type ExecutorRun = (Option<Run>, Option<(Role, u32)>);

/// The state of the simulated scheduler.
pub(super) struct Simulation {
    pub(super) row_micros: PerRole<Micros>,
    start: Instant,
    now: Micros,
    admissions: Admissions,
    queue: Queue<usize>,
    row_times: RowTimes,
    full_batch: PerRole<usize>,
    executors: Vec<ExecutorRun>,
    live: BTreeMap<usize, Live>,
    arrivals: Vec<Arrival>,
    /// The first arrival that is still to come.
    next: usize,
    ends: Vec<Option<End>>,
    throttle: Option<Throttle>,
    meter: DemandMeter,
    /// The time that the executors ran rows.
    pub(super) busy: Micros,
    /// The executor time that the arrivals asked for.
    pub(super) demanded: Duration,
}

impl Simulation {
    pub(super) fn new(executors: usize, batch: PerRole<usize>, row_micros: PerRole<Micros>, capacity: usize) -> Self {
        let limits = BatchLimits {
            max_batch_size: batch,
            pads: PerRole::default(),
            max_queue_delay: Duration::ZERO,
        };
        let row_time = PerRole::of(|role| Duration::from_micros(row_micros[role]));
        Self {
            row_micros,
            start: Instant::now(),
            now: 0,
            admissions: Admissions::new(capacity),
            queue: Queue::new(limits),
            row_times: RowTimes::new(row_time, batch, executors, None),
            full_batch: batch,
            executors: (0..executors).map(|_| (None, None)).collect(),
            live: BTreeMap::new(),
            arrivals: Vec::new(),
            next: 0,
            ends: Vec::new(),
            throttle: None,
            meter: DemandMeter::new(f64::from(u32::try_from(executors).unwrap())),
            busy: 0,
            demanded: Duration::ZERO,
        }
    }

    /// The simulation of one executor under `quota`; `known` is whether the scheduler can read it.
    pub(super) fn with_quota(mut self, quota: CpuQuota, known: bool) -> Self {
        assert_eq!(self.executors.len(), 1, "a quota is simulated for one executor");
        let period = Micros::try_from(quota.period.as_micros()).unwrap();
        let throttle = Throttle {
            quota: Micros::try_from(quota.period.mul_f64(quota.processors).as_micros()).unwrap(),
            period,
            period_start: 0,
            used: 0,
        };
        self.throttle = Some(throttle);
        let row_time = PerRole::of(|role| Duration::from_micros(self.row_micros[role]));
        self.row_times = RowTimes::new(row_time, self.full_batch, 1, known.then_some(quota));
        self
    }

    /// Runs `arrivals`, which are in the order of their time. Returns how each one ended.
    pub(super) fn run(&mut self, arrivals: &[Arrival]) -> Vec<End> {
        self.offer(arrivals);
        self.run_until(Micros::MAX);
        self.ends.iter().map(|end| end.expect("every request ends")).collect()
    }

    /// Adds `arrivals`, which are in the order of their time and after the present.
    pub(super) fn offer(&mut self, arrivals: &[Arrival]) {
        self.arrivals.extend_from_slice(arrivals);
        self.ends.resize(self.arrivals.len(), None);
    }

    /// The arrivals so far, each with its end if it has ended.
    pub(super) fn ends(&self) -> impl Iterator<Item = (&Arrival, Option<End>)> {
        self.arrivals.iter().zip(self.ends.iter().copied())
    }

    /// The rows that wait.
    pub(super) fn waiting_rows(&self) -> usize {
        let rows = self.queue.rows();
        rows.standard + rows.robust
    }

    /// Runs until the time `until`, or until nothing is left to do.
    pub(super) fn run_until(&mut self, until: Micros) {
        loop {
            let ends = self.live.values().map(|live| live.arrival.at + life(&live.arrival));
            let runs = self
                .executors
                .iter()
                .filter_map(|(run, _)| run.as_ref().map(|run| run.until));
            let arrival = self.arrivals.get(self.next).map(|arrival| arrival.at);
            let events = ends.chain(runs).chain(arrival);
            let Some(now) = events.min().filter(|&now| now <= until) else {
                break;
            };
            self.now = now;
            self.finish_runs();
            self.end_requests();
            while let Some(arrival) = self.arrivals.get(self.next).filter(|arrival| arrival.at <= now) {
                let arrival = *arrival;
                self.arrive(self.next, arrival);
                self.next += 1;
            }
            self.start_runs();
        }
    }

    fn at(&self, micros: Micros) -> Instant {
        self.start + Duration::from_micros(micros)
    }

    fn arrive(&mut self, id: usize, arrival: Arrival) {
        let principal = Principal::UnixUser(arrival.principal);
        let share = CallerShare {
            caller: Caller {
                principal,
                connection: arrival.connection,
            },
            weight: 1.0,
            max_share: 1.0,
            name: Arc::from("other"),
        };
        let demand = Demand {
            outstanding: outstanding(&arrival),
            expected: arrival.rows,
            needed: arrival.needed,
        };
        let deadline = self.at(arrival.at + arrival.timeout);
        let now = self.at(self.now);
        self.row_times.record_use(now, Duration::from_micros(self.busy));
        let admitted = self
            .admissions
            .admit(&share, arrival.priority, deadline, &demand, now, &self.row_times);
        let work = Admissions::demanded(deadline.duration_since(now), &demand, &self.row_times);
        let executors = self.row_times.sustained_executors();
        self.demanded += self.meter.demanded(work, admitted.as_ref().err(), executors, now);
        match admitted {
            Err(refusal) => self.ends[id] = Some(End::Refused(refusal)),
            Ok(admitted) => {
                let live = Live {
                    arrival,
                    admitted,
                    submitted: PerRole::default(),
                    done: PerRole::default(),
                };
                self.live.insert(id, live);
                self.submit(id);
            }
        }
    }

    /// Submits all rows of the standard model, and rows of the robust model until enough are in flight.
    fn submit(&mut self, id: usize) {
        let now = self.at(self.now);
        let live = self.live.get_mut(&id).unwrap();
        let rows = PerRole {
            standard: live.arrival.rows.standard - live.submitted.standard,
            robust: (live.arrival.rows.robust - live.submitted.robust)
                .min(live.arrival.in_flight - (live.submitted.robust - live.done.robust)),
        };
        for role in Role::ALL {
            live.submitted[role] += rows[role];
        }
        let rows = PerRole::of(|role| usize::try_from(rows[role]).unwrap());
        self.queue.push(&id, live.admitted, rows, now);
    }

    fn finish_runs(&mut self) {
        for index in 0..self.executors.len() {
            let Some(run) = self.executors[index].0.take_if(|run| run.until <= self.now) else {
                continue;
            };
            let time = BatchTime {
                elapsed: Duration::from_micros(run.until - run.since),
                paused: Duration::from_micros(run.paused),
            };
            self.row_times.observe(run.batch.role, run.batch.rows(), time);
            for slice in &run.batch.slices {
                self.admissions.done(&slice.request, run.batch.role, slice.rows.len());
                if let Some(live) = self.live.get_mut(&slice.job) {
                    live.done[run.batch.role] += slice.rows.len() as u64;
                    self.advance(slice.job);
                }
            }
        }
    }

    fn advance(&mut self, id: usize) {
        let live = &self.live[&id];
        if Role::ALL
            .into_iter()
            .all(|role| live.done[role] >= live.arrival.rows[role])
        {
            let after = self.now - live.arrival.at;
            self.end(id, End::Answered { after });
        } else {
            self.submit(id);
        }
    }

    /// Ends the requests whose deadline has passed, and those whose caller leaves.
    fn end_requests(&mut self) {
        let over = |live: &Live| live.arrival.at + life(&live.arrival) <= self.now;
        let ids: Vec<usize> = self
            .live
            .iter()
            .filter(|(_, live)| over(live))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            let live = &self.live[&id];
            let is_enough = Role::ALL
                .into_iter()
                .all(|role| live.done[role] >= live.arrival.needed[role]);
            let after = self.now - live.arrival.at;
            let end = match live.arrival.leaves_after {
                Some(leaves) if leaves < live.arrival.timeout => End::Left,
                _ if is_enough => End::Answered { after },
                _ => End::Late,
            };
            self.end(id, end);
        }
    }

    fn end(&mut self, id: usize, end: End) {
        let live = self.live.remove(&id).unwrap();
        self.admissions.release(&live.admitted, &outstanding(&live.arrival));
        self.ends[id] = Some(end);
    }

    fn start_runs(&mut self) {
        let now = self.at(self.now);
        for index in 0..self.executors.len() {
            if self.executors[index].0.is_some() {
                continue;
            }
            let streak = self.executors[index].1;
            let idle = self.executors[index + 1..].iter().filter(|(run, _)| run.is_none());
            let state = ExecutorState {
                able: PerRole::of(|_| true),
                prefers: streak
                    .filter(|(_, batches)| *batches < MAX_STREAK)
                    .map(|(role, _)| role),
                idle_others: idle.count(),
            };
            let live = &self.live;
            let taken = self
                .queue
                .take(now, state, self.row_times.row_cost(), |id| !live.contains_key(id));
            self.queue
                .sweep(self.admissions.capacity(), |id| !live.contains_key(id));
            let Some(batch) = taken.batch else { continue };
            let role = batch.role;
            let streak = match streak {
                Some((before, batches)) if before == role && batches < MAX_STREAK => batches + 1,
                _ => 1,
            };
            let time = batch.rows() as u64 * self.row_micros[role];
            self.busy += time;
            let until = match &mut self.throttle {
                None => self.now + time,
                Some(throttle) => throttle.end(self.now, time),
            };
            let run = Run {
                since: self.now,
                until,
                paused: until - self.now - time,
                batch,
            };
            self.executors[index] = (Some(run), Some((role, streak)));
        }
    }
}

impl Throttle {
    /// The end of a run that begins at `now` and takes `time` of the processor.
    fn end(&mut self, mut now: Micros, mut time: Micros) -> Micros {
        loop {
            let start = now / self.period * self.period;
            if start != self.period_start {
                (self.period_start, self.used) = (start, 0);
            }
            let part = time.min(self.quota - self.used).min(start + self.period - now);
            self.used += part;
            now += part;
            time -= part;
            if time == 0 {
                return now;
            }
            now = start + self.period;
        }
    }
}

fn life(arrival: &Arrival) -> Micros {
    arrival.leaves_after.unwrap_or(arrival.timeout).min(arrival.timeout)
}

fn outstanding(arrival: &Arrival) -> PerRole<usize> {
    PerRole {
        standard: usize::try_from(arrival.rows.standard).unwrap(),
        robust: usize::try_from(arrival.rows.robust.min(arrival.in_flight)).unwrap(),
    }
}
