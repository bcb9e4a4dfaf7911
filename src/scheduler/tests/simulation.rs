//! A simulation of admission, queue and executors: every row takes exactly its estimated time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::call::{Caller, Principal};
use crate::domain::{PerRole, Priority, Role};
use crate::scheduler::admission::Admissions;
use crate::scheduler::queue::{Batch, BatchLimits, ExecutorState, Queue};
use crate::scheduler::row_time::RowTimes;
use crate::scheduler::urgency::AdmittedRequest;
use crate::scheduler::{CallerShare, Demand, Refusal};

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
    until: Micros,
    batch: Batch<usize>,
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
    executors: Vec<ExecutorRun>,
    live: BTreeMap<usize, Live>,
    ends: Vec<Option<End>>,
    /// The time that the executors ran rows.
    pub(super) busy: Micros,
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
            row_times: RowTimes::new(row_time, batch, executors),
            executors: (0..executors).map(|_| (None, None)).collect(),
            live: BTreeMap::new(),
            ends: Vec::new(),
            busy: 0,
        }
    }

    /// Runs `arrivals`, which are in the order of their time. Returns how each one ended.
    pub(super) fn run(&mut self, arrivals: &[Arrival]) -> Vec<End> {
        self.ends = vec![None; arrivals.len()];
        let mut next = 0;
        loop {
            let ends = self.live.values().map(|live| live.arrival.at + life(&live.arrival));
            let runs = self
                .executors
                .iter()
                .filter_map(|(run, _)| run.as_ref().map(|run| run.until));
            let arrival = arrivals.get(next).map(|arrival| arrival.at);
            let Some(now) = ends.chain(runs).chain(arrival).min() else {
                break;
            };
            self.now = now;
            self.finish_runs();
            self.end_requests();
            while let Some(arrival) = arrivals.get(next).filter(|arrival| arrival.at <= now) {
                self.arrive(next, *arrival);
                next += 1;
            }
            self.start_runs();
        }
        self.ends.iter().map(|end| end.expect("every request ends")).collect()
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
        let admitted = self
            .admissions
            .admit(&share, arrival.priority, deadline, &demand, now, &self.row_times);
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
            let until = self.now + time;
            self.executors[index] = (Some(Run { until, batch }), Some((role, streak)));
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
