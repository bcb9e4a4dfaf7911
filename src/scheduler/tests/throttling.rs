//! Admission under a CPU quota, in the simulation: the kernel stops the executor for most of each
//! period, and few of the admitted requests may be late.

use std::time::Duration;

use super::simulation::{Arrival, End, Micros, Simulation};
use crate::domain::{PerRole, Priority};
use crate::settings::CpuQuota;

/// About the bundled pair on one processor.
const ROW: PerRole<Micros> = PerRole {
    standard: 3500,
    robust: 3000,
};
const SECOND: Micros = 1_000_000;
const LENGTH: Micros = 60 * SECOND;
/// The executor learns the speed in the first seconds.
const LEARNING: Micros = 2 * SECOND;

fn quota(processors: f64) -> CpuQuota {
    CpuQuota {
        processors,
        period: Duration::from_millis(100),
    }
}

/// A request for a row of each model, with a deadline `timeout` away.
fn request(at: Micros, timeout: Micros) -> Arrival {
    let rows = PerRole { standard: 1, robust: 1 };
    Arrival {
        at,
        principal: 1,
        connection: 1,
        priority: Priority::Interactive,
        timeout,
        rows,
        needed: rows,
        in_flight: 1,
        leaves_after: None,
    }
}

/// Requests at random times, `rate` a second.
fn random_requests(rate: f64, timeout: Micros) -> Vec<Arrival> {
    let (mut random, mut at) = (fastrand::Rng::with_seed(7), 0.0);
    let next = || {
        at += -(1.0 - random.f64()).ln() / rate * 1e6;
        at
    };
    let times = std::iter::repeat_with(next).take_while(|&at| at < LENGTH as f64);
    times.map(|at| request(at as Micros, timeout)).collect()
}

#[derive(Debug, Default)]
struct Outcome {
    answered: usize,
    late: usize,
    refused: usize,
    busy: Micros,
}

fn run(mut simulation: Simulation, arrivals: &[Arrival]) -> Outcome {
    let ends = simulation.run(arrivals);
    let mut outcome = Outcome {
        busy: simulation.busy,
        ..Outcome::default()
    };
    for (arrival, end) in arrivals.iter().zip(ends) {
        if arrival.at < LEARNING {
            continue;
        }
        match end {
            End::Answered { .. } => outcome.answered += 1,
            End::Refused(_) => outcome.refused += 1,
            End::Late | End::Left => outcome.late += 1,
        }
    }
    outcome
}

/// A simulation of the executor under `processors` processors; `known` is whether it can read that.
fn throttled(processors: f64, known: bool) -> Simulation {
    let batch = PerRole { standard: 1, robust: 1 };
    Simulation::new(1, batch, ROW, 4096).with_quota(quota(processors), known)
}

/// Twice and ten times the load that the quota allows: what is admitted is answered in time, and the
/// executor keeps busy.
#[test]
fn few_admitted_requests_are_late_under_a_quota() {
    for processors in [0.25, 0.5, 0.8] {
        for (overload, timeout) in [(2.0, 350_000), (10.0, 350_000), (2.0, 1_000_000)] {
            let possible = processors * 1e6 / (ROW.standard + ROW.robust) as f64;
            let outcome = run(
                throttled(processors, true),
                &random_requests(overload * possible, timeout),
            );
            let case = format!("{processors} processors, {overload} times the load, {timeout} us: {outcome:?}");
            assert!(outcome.late * 100 <= outcome.answered, "{case}");
            assert!(outcome.refused > 0, "{case}");
            assert!(outcome.busy as f64 >= 0.95 * processors * LENGTH as f64, "{case}");
        }
    }
}

/// A quota that no file shows, such as that of a parent outside the container, is measured.
#[test]
fn an_unknown_quota_is_followed() {
    for processors in [0.25, 0.5] {
        let possible = processors * 1e6 / (ROW.standard + ROW.robust) as f64;
        let outcome = run(throttled(processors, false), &random_requests(2.0 * possible, 350_000));
        assert!(
            outcome.late * 100 <= outcome.answered,
            "{processors} processors: {outcome:?}"
        );
        assert!(outcome.refused > 0, "{processors} processors: {outcome:?}");
    }
}

/// Under a light load the quota of a period is enough for each request, and none is refused: not even
/// one whose deadline is shorter than a pause.
#[test]
fn a_light_load_under_a_quota_is_answered_at_full_speed() {
    // Five requests a second of 6.5 ms each, of the 25 ms that each tenth of a second has.
    let arrivals: Vec<_> = (0..LENGTH / 200_000)
        .map(|number| request(number * 200_000, 30_000))
        .collect();
    let outcome = run(throttled(0.25, true), &arrivals);
    assert_eq!((outcome.late, outcome.refused), (0, 0), "{outcome:?}");
}

/// Without pauses nothing changes: a request is admitted whatever was observed before.
#[test]
fn without_a_quota_the_executor_is_used_fully() {
    let batch = PerRole { standard: 1, robust: 1 };
    let possible = 1e6 / (ROW.standard + ROW.robust) as f64;
    let outcome = run(
        Simulation::new(1, batch, ROW, 4096),
        &random_requests(2.0 * possible, 350_000),
    );
    assert!(outcome.late * 100 <= outcome.answered, "{outcome:?}");
    assert!(outcome.busy * 100 >= LENGTH * 98, "{outcome:?}");
}
