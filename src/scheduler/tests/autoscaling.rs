//! An autoscaler on the demanded executor time, and one on the depth of the queue, beside simulated
//! replicas whose callers have deadlines of 350 ms. The load doubles.

use std::collections::VecDeque;

use super::simulation::{Arrival, End, Micros, Simulation};
use crate::domain::{PerRole, Priority};

/// A pair of models that takes one executor 60 ms. A replica has two executors.
const ROW: PerRole<Micros> = PerRole {
    standard: 20_000,
    robust: 40_000,
};
const EXECUTORS: usize = 2;
const TIMEOUT: Micros = 350_000;

const SECOND: Micros = 1_000_000;
/// The replicas learn of arrivals and the callers of refusals in steps of this length.
const STEP: Micros = SECOND / 10;
/// The interval of scrapes, and of the autoscaler.
const SYNC: Micros = 15 * SECOND;
/// The window of `rate()`, in scrapes.
const RATE_WINDOW: usize = 4;
/// The time until a new replica is ready.
const START_UP: Micros = 20 * SECOND;
/// The rule in `deploy/kubernetes/components/autoscaling`: the demanded share of the executors.
const DEMAND_TARGET: f64 = 0.7;
/// An autoscaler changes nothing within a tenth of its target.
const TOLERANCE: f64 = 0.1;

/// The load in requests a second: 60 % of two replicas, and from here on twice as much.
const RATE: f64 = 40.0;
const DOUBLED_AT: Micros = 120 * SECOND;
const END: Micros = 420 * SECOND;
/// The requests that may fail in 30 days under an objective of 99.9 %.
const ERROR_BUDGET: f64 = 0.001 * 30.0 * 86_400.0 * RATE;

/// What the autoscaler follows.
#[derive(Debug, Clone, Copy)]
enum Signal {
    /// The rate of the demanded executor time, in proportion to the executors.
    Demand,
    /// The mean of the rows that wait on each replica, in proportion to this target in rows.
    QueueDepth(f64),
}

struct Replica {
    simulation: Simulation,
    ready_at: Micros,
    /// The arrivals whose end has been looked at.
    seen: usize,
}

struct Fleet {
    replicas: Vec<Replica>,
    random: fastrand::Rng,
    /// The time, the scrapes of the demanded executor seconds of all replicas, and the failures.
    now: Micros,
    scrapes: VecDeque<f64>,
    deepest_queue: f64,
    /// The attempts that a caller makes, and the repeated requests with their number of attempts.
    max_attempts: u32,
    retries: Vec<(Micros, u32)>,
    failed: usize,
    failed_lately: usize,
}

impl Fleet {
    fn new(replicas: usize, max_attempts: u32) -> Self {
        let mut fleet = Self {
            replicas: Vec::new(),
            random: fastrand::Rng::with_seed(3),
            now: 0,
            scrapes: VecDeque::new(),
            deepest_queue: 0.0,
            max_attempts,
            retries: Vec::new(),
            failed: 0,
            failed_lately: 0,
        };
        fleet.scale_to(replicas, 0);
        fleet
    }

    fn scale_to(&mut self, replicas: usize, ready_at: Micros) {
        let batch = PerRole { standard: 1, robust: 1 };
        while self.replicas.len() < replicas {
            self.replicas.push(Replica {
                simulation: Simulation::new(EXECUTORS, batch, ROW, 4096),
                ready_at,
                seen: 0,
            });
        }
    }

    /// Sends the requests of one step, `rate` a second, each to a random ready replica.
    fn step(&mut self, rate: f64) {
        let until = self.now + STEP;
        let mut times: Vec<(Micros, u32)> = Vec::new();
        let mut at = self.now as f64;
        loop {
            at += -(1.0 - self.random.f64()).ln() / rate * SECOND as f64;
            if at >= until as f64 {
                break;
            }
            times.push((at as Micros, 1));
        }
        let due = self.retries.extract_if(.., |(at, _)| *at < until);
        times.extend(due.map(|(at, attempts)| (at.max(self.now), attempts)));
        times.sort_unstable();
        let ready: Vec<usize> = (0..self.replicas.len())
            .filter(|&index| self.replicas[index].ready_at <= self.now)
            .collect();
        let mut attempts = vec![Vec::new(); self.replicas.len()];
        let mut arrivals = vec![Vec::new(); self.replicas.len()];
        for (at, attempt) in times {
            let index = ready[self.random.usize(..ready.len())];
            arrivals[index].push(predict(at));
            attempts[index].push(attempt);
        }
        for (index, replica) in self.replicas.iter_mut().enumerate() {
            replica.simulation.offer(&arrivals[index]);
            replica.simulation.run_until(until);
            // A refusal comes at once; an admitted request may end later.
            for ((arrival, end), attempt) in replica.simulation.ends().skip(replica.seen).zip(&attempts[index]) {
                let Some(End::Refused(refusal)) = end else { continue };
                if *attempt < self.max_attempts {
                    let pause = Micros::try_from(refusal.retry_after().as_micros()).unwrap().max(5000);
                    self.retries.push((arrival.at + pause, attempt + 1));
                } else {
                    self.failed += 1;
                    self.failed_lately += usize::from(self.now >= END - 60 * SECOND);
                }
            }
            replica.seen += attempts[index].len();
        }
        self.now = until;
    }

    fn late(&self) -> usize {
        let ends = self.replicas.iter().flat_map(|replica| replica.simulation.ends());
        ends.filter(|(_, end)| *end == Some(End::Late)).count()
    }

    /// One scrape, and the replicas that the autoscaler then wants: the formula of Kubernetes.
    fn desired(&mut self, signal: Signal) -> usize {
        let replicas = &self.replicas;
        let demanded = replicas
            .iter()
            .map(|replica| replica.simulation.demanded.as_secs_f64())
            .sum();
        let waiting: usize = replicas.iter().map(|replica| replica.simulation.waiting_rows()).sum();
        let waiting = waiting as f64 / replicas.len() as f64;
        self.deepest_queue = self.deepest_queue.max(waiting);
        self.scrapes.push_back(demanded);
        if self.scrapes.len() > RATE_WINDOW + 1 {
            self.scrapes.pop_front();
        }
        let ratio = match signal {
            Signal::QueueDepth(target) => waiting / target,
            Signal::Demand => {
                let time = (self.scrapes.len() - 1) as f64 * (SYNC / SECOND) as f64;
                let rate = (demanded - self.scrapes[0]) / time.max(1.0);
                rate / (replicas.len() * EXECUTORS) as f64 / DEMAND_TARGET
            }
        };
        if (ratio - 1.0).abs() <= TOLERANCE {
            return replicas.len();
        }
        // Within one sync an autoscaler adds four replicas, or as many as there are. It removes none
        // for five minutes.
        let wanted = (replicas.len() as f64 * ratio).ceil() as usize;
        wanted.clamp(replicas.len(), replicas.len() + replicas.len().max(4))
    }

    /// Runs until the end.
    fn run(&mut self, signal: Signal) {
        while self.now < END {
            let rate = if self.now < DOUBLED_AT { RATE } else { 2.0 * RATE };
            self.step(rate);
            if self.now.is_multiple_of(SYNC) {
                let replicas = self.desired(signal);
                self.scale_to(replicas, self.now + START_UP);
            }
        }
    }
}

fn predict(at: Micros) -> Arrival {
    let rows = PerRole { standard: 1, robust: 1 };
    Arrival {
        at,
        principal: 1,
        connection: 1,
        priority: Priority::Interactive,
        timeout: TIMEOUT,
        rows,
        needed: rows,
        in_flight: 1,
        leaves_after: None,
    }
}

/// Two replicas become four, with a small part of the error budget of a month.
#[test]
fn twice_the_load_scales_before_the_error_budget_is_spent() {
    let mut fleet = Fleet::new(2, 1);
    fleet.run(Signal::Demand);
    let failed = (fleet.failed + fleet.late()) as f64;
    assert!(
        (4..=5).contains(&fleet.replicas.len()),
        "{} replicas",
        fleet.replicas.len()
    );
    assert!(failed < 0.02 * ERROR_BUDGET, "{failed} of {ERROR_BUDGET}");
    assert!(
        fleet.failed_lately * 1000 <= (60.0 * 2.0 * RATE) as usize,
        "{}",
        fleet.failed_lately
    );
}

/// The same load beside an autoscaler on the depth of the queue: requests that cannot meet their
/// deadline are refused and do not wait, so the queue never shows the load.
#[test]
fn the_depth_of_the_queue_is_blind_under_short_deadlines() {
    let mut fleet = Fleet::new(2, 1);
    fleet.run(Signal::QueueDepth(32.0));
    let offered = 2.0 * RATE * ((END - DOUBLED_AT) / SECOND) as f64;
    assert_eq!(fleet.replicas.len(), 2);
    assert!(
        (4.0..32.0).contains(&fleet.deepest_queue),
        "{} rows",
        fleet.deepest_queue
    );
    assert!(fleet.failed as f64 > 0.15 * offered, "{} of {offered}", fleet.failed);
}

/// Callers that repeat each refused request ask for more than the load, and still get at most twice
/// the replicas that it needs.
#[test]
fn retries_scale_to_at_most_twice_the_replicas() {
    let mut fleet = Fleet::new(2, 4);
    fleet.run(Signal::Demand);
    assert!(
        (4..=8).contains(&fleet.replicas.len()),
        "{} replicas",
        fleet.replicas.len()
    );
    assert!(fleet.failed_lately == 0, "{}", fleet.failed_lately);
}
