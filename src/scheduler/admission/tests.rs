use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn rows(standard: u64, robust: u64) -> Rows {
    PerRole { standard, robust }
}

/// One row of each model; a row takes one executor a millisecond.
fn one() -> Demand {
    Demand {
        outstanding: PerRole { standard: 1, robust: 1 },
        expected: rows(1, 1),
        needed: rows(1, 1),
    }
}

fn speed(executors: usize) -> Speed {
    Speed::new(
        PerRole {
            standard: MS,
            robust: MS,
        },
        PerRole { standard: 1, robust: 1 },
        executors,
    )
}

fn votes(expected: u64, needed: u64) -> Demand {
    Demand {
        outstanding: PerRole { standard: 1, robust: 4 },
        expected: rows(1, expected),
        needed: rows(1, needed),
    }
}

#[test]
fn room_is_all_or_none_and_comes_back() {
    let (now, speed) = (Instant::now(), speed(1));
    let mut admissions = Admissions::new(10);
    let far = now + 1_000_000 * MS;
    let wide = |robust| Demand {
        outstanding: PerRole { standard: 1, robust },
        ..Demand::default()
    };
    let first = admissions
        .admit(Priority::Interactive, far, &wide(8), now, &speed)
        .unwrap();
    let refused = admissions
        .admit(Priority::Interactive, far, &wide(3), now, &speed)
        .unwrap_err();
    assert!(
        matches!(
            refused,
            Refusal::Full {
                role: Role::Robust,
                admitted: 8,
                capacity: 10,
                wanted: 3,
                ..
            }
        ),
        "{refused:?}"
    );
    assert_eq!(admissions.outstanding, PerRole { standard: 1, robust: 8 });
    admissions.release(&first, &wide(8).outstanding);
    // Twice gives nothing more back.
    admissions.release(&first, &wide(8).outstanding);
    admissions
        .admit(Priority::Interactive, far, &wide(10), now, &speed)
        .unwrap();
}

#[test]
fn bulk_leaves_room_for_interactive_rows() {
    let (now, speed) = (Instant::now(), speed(1));
    let far = now + 1_000_000 * MS;
    let mut admissions = Admissions::new(8);
    let wide = |robust| Demand {
        outstanding: PerRole { standard: 0, robust },
        ..Demand::default()
    };
    admissions.admit(Priority::Bulk, far, &wide(6), now, &speed).unwrap();
    admissions
        .admit(Priority::Bulk, far, &wide(1), now, &speed)
        .unwrap_err();
    admissions
        .admit(Priority::Interactive, far, &wide(2), now, &speed)
        .unwrap();
}

#[test]
fn a_deadline_behind_too_many_rows_is_refused() {
    let (now, speed) = (Instant::now(), speed(2));
    let mut admissions = Admissions::new(1000);
    // Each takes two executors a millisecond.
    for _ in 0..50 {
        admissions
            .admit(Priority::Interactive, now + 60 * MS, &one(), now, &speed)
            .unwrap();
    }
    let refused = admissions
        .admit(Priority::Interactive, now + 60 * MS, &votes(60, 60), now, &speed)
        .unwrap_err();
    let expected = Refusal::TooLate {
        left: 60 * MS,
        // 100 rows are ahead and 61 its own.
        wait: Duration::from_micros(80_500),
        retry_after: Duration::from_micros(40_250),
    };
    assert_eq!(refused, expected);
}

#[test]
fn a_deadline_that_an_idle_machine_could_not_meet_is_told_so() {
    let (now, speed) = (Instant::now(), speed(1));
    let mut admissions = Admissions::new(1000);
    let first = admissions.admit(Priority::Interactive, now + 900 * MS, &one(), now, &speed);
    first.unwrap();
    let refused = admissions.admit(Priority::Interactive, now + 10 * MS, &votes(19, 19), now, &speed);
    let expected = Refusal::TooShort {
        left: 10 * MS,
        alone: 20 * MS,
    };
    assert_eq!(refused, Err(expected));
    assert_eq!(expected.retry_after(), Duration::ZERO);
}

#[test]
fn an_earlier_deadline_goes_before_and_is_let_in() {
    let (now, speed) = (Instant::now(), speed(2));
    let mut admissions = Admissions::new(1000);
    for _ in 0..80 {
        admissions
            .admit(Priority::Interactive, now + 200 * MS, &one(), now, &speed)
            .unwrap();
    }
    // Behind the 80 it would be too late; before them it is not, and they have time.
    admissions
        .admit(Priority::Interactive, now + 10 * MS, &one(), now, &speed)
        .unwrap();
    let late = admissions.admit(Priority::Interactive, now + 210 * MS, &votes(300, 300), now, &speed);
    assert!(matches!(late, Err(Refusal::TooLate { .. })), "{late:?}");
}

#[test]
fn nobody_is_pushed_over_the_deadline_by_a_later_arrival() {
    let (now, speed) = (Instant::now(), speed(1));
    let mut admissions = Admissions::new(1000);
    for _ in 0..50 {
        admissions
            .admit(Priority::Interactive, now + 115 * MS, &one(), now, &speed)
            .unwrap();
    }
    // 100 ms of work are there, 110 with the slack; 10 more before it would be too much.
    let refused = admissions
        .admit(Priority::Interactive, now + 60 * MS, &votes(9, 9), now, &speed)
        .unwrap_err();
    assert!(matches!(refused, Refusal::Crowded { .. }), "{refused:?}");
    admissions
        .admit(Priority::Interactive, now + 60 * MS, &one(), now, &speed)
        .unwrap();
}

#[test]
fn an_idle_machine_tries_whatever_it_believes() {
    let (now, speed) = (Instant::now(), speed(1));
    let mut admissions = Admissions::new(1000);
    let hopeless = votes(1000, 1000);
    let first = admissions
        .admit(Priority::Interactive, now + MS, &hopeless, now, &speed)
        .unwrap();
    admissions
        .admit(Priority::Interactive, now + 2 * MS, &hopeless, now, &speed)
        .unwrap_err();
    admissions.release(&first, &hopeless.outstanding);
    admissions
        .admit(Priority::Interactive, now + 2 * MS, &hopeless, now, &speed)
        .unwrap();
}

#[test]
fn what_is_done_is_no_longer_ahead() {
    let (now, speed) = (Instant::now(), speed(1));
    let mut admissions = Admissions::new(1000);
    let first = admissions
        .admit(Priority::Interactive, now + 50 * MS, &votes(100, 17), now, &speed)
        .unwrap();
    let next = |admissions: &mut Admissions| {
        let admitted = admissions.admit(Priority::Interactive, now + 60 * MS, &votes(10, 10), now, &speed);
        admitted.map(|request| admissions.release(&request, &votes(10, 10).outstanding))
    };
    next(&mut admissions).unwrap_err();
    admissions.done(&first, Role::Robust, 60);
    next(&mut admissions).unwrap();
    // It draws more than was expected: nothing is owed for that.
    admissions.done(&first, Role::Robust, 1000);
    next(&mut admissions).unwrap();
    admissions.release(&first, &votes(100, 17).outstanding);
    assert_eq!(admissions.expected, [Rows::default(); 2]);
    assert_eq!(admissions.outstanding, PerRole::default());
}

#[test]
fn bulk_waits_for_everything_interactive() {
    let (now, speed) = (Instant::now(), speed(1));
    let mut admissions = Admissions::new(1000);
    for _ in 0..20 {
        admissions
            .admit(Priority::Interactive, now + 900 * MS, &one(), now, &speed)
            .unwrap();
    }
    let refused = admissions
        .admit(Priority::Bulk, now + 50 * MS, &votes(1000, 17), now, &speed)
        .unwrap_err();
    assert!(matches!(refused, Refusal::TooLate { .. }), "{refused:?}");
    // An interactive one does not wait for bulk.
    admissions
        .admit(Priority::Bulk, now + 500 * MS, &votes(1000, 17), now, &speed)
        .unwrap();
    admissions
        .admit(Priority::Interactive, now + 50 * MS, &one(), now, &speed)
        .unwrap();
}

proptest! {
    /// The sums stay the sums, whatever comes and goes; and what is let in by the estimate meets its deadline if every row takes
    /// just as long as estimated and the order is kept.
    #[test]
    fn whoever_is_let_in_is_served_in_time(
        steps in prop::collection::vec((1u64..6, 1u64..60, any::<bool>()), 1..80),
        executors in 1usize..4,
    ) {
        let (now, speed) = (Instant::now(), speed(executors));
        let mut admissions = Admissions::new(1 << 20);
        let mut live: Vec<(Urgency, Demand)> = Vec::new();
        for (count, deadline, leaves) in steps {
            let demand = Demand {
                outstanding: PerRole { standard: 1, robust: 1 },
                expected: rows(count, count),
                needed: rows(count, count),
            };
            let alone = live.is_empty();
            if let Ok(request) = admissions.admit(Priority::Interactive, now + u32::try_from(deadline).unwrap() * MS, &demand, now, &speed) {
                // The one that an idle machine tries may be hopeless; it is left out of what follows.
                let wait = speed.wait(&demand.needed).as_secs_f64();
                let hopeless = alone && wait * SLACK > (request.deadline - now).as_secs_f64();
                if hopeless {
                    admissions.release(&request, &demand.outstanding);
                } else {
                    live.push((request, demand));
                }
            }
            if leaves && let Some((request, demand)) = live.pop() {
                admissions.release(&request, &demand.outstanding);
            }
            let sum = live.iter().fold(Rows::default(), |sum, (_, demand)| plus(&sum, &demand.expected));
            prop_assert_eq!(admissions.expected[0], sum);
            live.sort_by_key(|(request, _)| *request);
            let mut before = Rows::default();
            for (request, demand) in &live {
                before = plus(&before, &demand.expected);
                let first = *request == live[0].0;
                prop_assert!(first || speed.wait(&before) <= request.deadline - now, "{request:?} is late");
            }
        }
    }
}

#[test]
fn a_budget_that_its_own_deadline_cuts_is_not_held_against_others() {
    let (now, speed) = (Instant::now(), speed(1));
    let ends_soon = (now + 2000 * MS, votes(60_000, 17));
    let has_time = (now + 30_000 * MS, votes(100, 17));
    for pair in [[ends_soon, has_time], [has_time, ends_soon]] {
        let mut admissions = Admissions::new(1000);
        for (deadline, demand) in pair {
            admissions
                .admit(Priority::Bulk, deadline, &demand, now, &speed)
                .unwrap();
        }
    }
}

/// A stall has made its model look slow, and only runs of it can tell otherwise.
#[test]
fn an_interactive_request_with_only_bulk_beside_it_is_tried() {
    let (now, mut speed) = (Instant::now(), speed(1));
    for _ in 0..40 {
        speed.observe(Role::Standard, 1, 3 * MS);
    }
    let mut admissions = Admissions::new(1000);
    admissions
        .admit(Priority::Bulk, now + 3_600_000 * MS, &votes(100_000, 17), now, &speed)
        .unwrap();
    admissions
        .admit(Priority::Interactive, now + 2 * MS, &one(), now, &speed)
        .unwrap();
}
