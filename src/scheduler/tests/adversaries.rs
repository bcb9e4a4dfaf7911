//! Simulated adversaries against an honest caller. The honest caller has a feasible load: each request
//! fits in its share of the time until its deadline, and a batch of each model and a turn of each other
//! caller besides. It must lose nothing, whatever the others do.

use proptest::prelude::*;

use super::simulation::{Arrival, End, Micros, Simulation};
use crate::domain::{PerRole, Priority};

const ROW: PerRole<Micros> = PerRole {
    standard: 200,
    robust: 800,
};
const EXECUTORS: usize = 2;
const LENGTH: Micros = 1_500_000;
const HONEST: u32 = 1000;

fn batch() -> PerRole<usize> {
    PerRole { standard: 8, robust: 4 }
}

/// The longest batch of each model on each executor, with a streak of four, in microseconds.
const STREAK: Micros = 4 * 4 * 800 + 8 * 200;

/// A Predict of `inputs` inputs with one row of each model each.
fn predict(at: Micros, principal: u32, connection: u64, inputs: u64, timeout: Micros) -> Arrival {
    let rows = PerRole {
        standard: inputs,
        robust: inputs,
    };
    Arrival {
        at,
        principal,
        connection,
        priority: Priority::Interactive,
        timeout,
        rows,
        needed: rows,
        in_flight: inputs,
        leaves_after: None,
    }
}

/// A Certify of one input.
fn certify(at: Micros, principal: u32, connection: u64, votes: u64, timeout: Micros) -> Arrival {
    Arrival {
        at,
        principal,
        connection,
        priority: Priority::Bulk,
        timeout,
        rows: PerRole {
            standard: 1,
            robust: votes,
        },
        needed: PerRole {
            standard: 1,
            robust: 11,
        },
        in_flight: 15,
        leaves_after: None,
    }
}

/// The time for the rows of one input on all executors.
fn input_time() -> Micros {
    (ROW.standard + ROW.robust) / EXECUTORS as u64
}

/// A feasible load beside `others` other principals: the timeout is the fluid bound with its margins,
/// and a streak and a turn of each other.
fn honest_predicts(others: u64, inputs: u64) -> Vec<Arrival> {
    let fluid = inputs * input_time() * (others + 1) * 10 / 9 * 11 / 10;
    let timeout = fluid + 2 * STREAK + others * 2 * ROW.robust;
    (0..LENGTH / timeout)
        .map(|number| predict(number * timeout, HONEST, 1, inputs, timeout))
        .collect()
}

/// What an adversary sends.
#[derive(Debug, Clone, Copy)]
enum Attack {
    /// Small Predicts with deadlines that they barely meet.
    ShortDeadlines,
    /// Predicts of 64 inputs.
    ManyInputs,
    /// Certifications with more votes than time.
    HugeBudgets,
    /// Each request comes over another connection.
    ManyConnections,
    /// Requests whose caller leaves at once.
    Cancels,
    /// Everything at once, just before the honest caller's deadlines.
    Bursts,
}

fn attack() -> impl Strategy<Value = Attack> {
    prop_oneof![
        Just(Attack::ShortDeadlines),
        Just(Attack::ManyInputs),
        Just(Attack::HugeBudgets),
        Just(Attack::ManyConnections),
        Just(Attack::Cancels),
        Just(Attack::Bursts),
    ]
}

impl Attack {
    /// The requests of principal `principal`, `every` microseconds apart.
    fn requests(self, principal: u32, every: Micros, seed: u64, period: Micros) -> Vec<Arrival> {
        let request = |number: u64| {
            let random = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ seed) >> 33;
            let at = number * every;
            let connection = number % 4;
            match self {
                Self::ShortDeadlines => predict(at, principal, connection, 1 + random % 3, 2000 + random % 20_000),
                Self::ManyInputs => predict(at, principal, connection, 64, 40_000 + random % 1_500_000),
                Self::HugeBudgets => certify(at, principal, connection, 100_000, 50_000 + random % 2_000_000),
                Self::ManyConnections => predict(at, principal, number, 1 + random % 8, 5000 + random % 100_000),
                Self::Cancels => Arrival {
                    leaves_after: Some(random % 5000),
                    ..predict(at, principal, connection, 1 + random % 64, 20_000 + random % 500_000)
                },
                Self::Bursts => {
                    let at = at / period * period + period.saturating_sub(1 + random % 3000);
                    predict(at, principal, number % 16, 1 + random % 16, 4000 + random % 50_000)
                }
            }
        };
        (0..LENGTH / every).map(request).collect()
    }
}

fn run(arrivals: &mut [Arrival], capacity: usize) -> (Vec<(Arrival, End)>, Simulation) {
    arrivals.sort_by_key(|arrival| arrival.at);
    let mut simulation = Simulation::new(EXECUTORS, batch(), ROW, capacity);
    let ends = simulation.run(arrivals);
    (arrivals.iter().copied().zip(ends).collect(), simulation)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The honest caller loses no request.
    #[test]
    fn an_honest_caller_loses_nothing_to_adversaries(
        attacks in prop::collection::vec((attack(), 500u64..20_000, any::<u64>()), 1..9),
        inputs in 1u64..5,
    ) {
        let mut arrivals = honest_predicts(attacks.len() as u64, inputs);
        let period = arrivals.first().map_or(LENGTH, |arrival| arrival.timeout);
        for (principal, (attack, every, seed)) in (1..).zip(&attacks) {
            arrivals.extend(attack.requests(principal, *every, *seed, period));
        }
        let (ends, _) = run(&mut arrivals, 4096);
        let honest: Vec<_> = ends.iter().filter(|(arrival, _)| arrival.principal == HONEST).collect();
        prop_assert!(honest.len() >= 5);
        for (arrival, end) in honest {
            prop_assert!(matches!(end, End::Answered { .. }), "{arrival:?} ended as {end:?}");
        }
    }

    /// An honest certification beside floods of both priorities has its share of the tenth of the time
    /// that bulk rows keep.
    #[test]
    fn an_honest_certification_has_its_share(
        attacks in prop::collection::vec((attack(), 500u64..20_000, any::<u64>()), 1..5),
    ) {
        let parties = attacks.len() as u64 + 1;
        // The needed votes, and the first chunks in flight.
        let work = (ROW.standard + 15 * ROW.robust) / EXECUTORS as u64;
        let timeout = work * parties * 10 * 11 / 10 + 10 * parties * STREAK;
        let mut arrivals: Vec<Arrival> =
            (0..LENGTH / timeout + 1).map(|number| certify(number * timeout, HONEST, 1, 10_000, timeout)).collect();
        for (principal, (attack, every, seed)) in (1..).zip(&attacks) {
            arrivals.extend(attack.requests(principal, *every, *seed, timeout));
        }
        let (ends, _) = run(&mut arrivals, 4096);
        for (arrival, end) in ends.iter().filter(|(arrival, _)| arrival.principal == HONEST) {
            prop_assert!(matches!(end, End::Answered { .. }), "{arrival:?} ended as {end:?}");
        }
    }

    /// A caller alone has all the time of the executors, on one connection or several, and few of its
    /// admitted requests are late however much it sends.
    #[test]
    fn a_caller_alone_has_everything(inputs in 1u64..6, every in 200u64..5000, connections in 1u64..17) {
        let timeout = 200_000;
        let mut arrivals: Vec<_> = (0..LENGTH / every)
            .map(|number| predict(number * every, 1, number % connections, inputs, timeout))
            .collect();
        let (ends, simulation) = run(&mut arrivals, 4096);
        let offered = LENGTH / every * inputs * (ROW.standard + ROW.robust);
        let possible = (LENGTH * EXECUTORS as u64).min(offered);
        prop_assert!(simulation.busy * 100 >= possible * 98, "{} of {possible}", simulation.busy);
        let count = |wanted: fn(&End) -> bool| ends.iter().filter(|(_, end)| wanted(end)).count();
        let (late, answered) = (count(|end| *end == End::Late), count(|end| matches!(end, End::Answered { .. })));
        prop_assert!(late * 20 <= answered, "{late} are late, {answered} are answered");
    }
}

/// Callers that share one principal are protected from each other as well.
#[test]
fn a_greedy_connection_does_not_starve_another_of_the_same_principal() {
    let mut arrivals: Vec<Arrival> = honest_predicts(1, 2)
        .into_iter()
        .map(|arrival| Arrival {
            principal: 1,
            connection: 99,
            ..arrival
        })
        .collect();
    let period = arrivals[0].timeout;
    for (attack, every) in [(Attack::ManyInputs, 3000), (Attack::ShortDeadlines, 900)] {
        let requests = attack.requests(1, every, 7, period);
        arrivals.extend(requests.into_iter().map(|arrival| Arrival {
            connection: 1,
            ..arrival
        }));
    }
    let (ends, _) = run(&mut arrivals, 4096);
    let honest: Vec<_> = ends.iter().filter(|(arrival, _)| arrival.connection == 99).collect();
    assert!(honest.len() > 40);
    for (arrival, end) in honest {
        assert!(matches!(end, End::Answered { .. }), "{arrival:?} ended as {end:?}");
    }
}
