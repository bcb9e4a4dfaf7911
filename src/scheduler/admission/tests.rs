use proptest::prelude::*;

use std::sync::Arc;

use super::*;
use crate::call::{Caller, Principal};
use crate::scheduler::row_time::Rows;

const MS: Duration = Duration::from_millis(1);

/// The share of a caller without a name.
fn share() -> CallerShare {
    share_of(1, 1)
}

/// The share of a caller without a name on a connection of principal `principal`.
fn share_of(principal: u32, connection: u64) -> CallerShare {
    let principal = Principal::UnixUser(principal);
    CallerShare {
        caller: Caller { principal, connection },
        weight: 1.0,
        max_share: 1.0,
        name: Arc::from("other"),
    }
}

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

fn row_times(executors: usize) -> RowTimes {
    RowTimes::new(
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
fn capacity_is_all_or_nothing_and_returned() {
    let (now, row_times) = (Instant::now(), row_times(1));
    let mut admissions = Admissions::new(10);
    let far = now + 1_000_000 * MS;
    let wide = |robust| Demand {
        outstanding: PerRole { standard: 1, robust },
        ..Demand::default()
    };
    let first = admissions
        .admit(&share(), Priority::Interactive, far, &wide(8), now, &row_times)
        .unwrap();
    let refused = admissions
        .admit(&share(), Priority::Interactive, far, &wide(3), now, &row_times)
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
    assert_eq!(admissions.outstanding(), PerRole { standard: 1, robust: 8 });
    admissions.release(&first, &wide(8).outstanding);
    // A second release returns nothing more.
    admissions.release(&first, &wide(8).outstanding);
    admissions
        .admit(&share(), Priority::Interactive, far, &wide(10), now, &row_times)
        .unwrap();
}

#[test]
fn bulk_leaves_capacity_for_interactive_rows() {
    let (now, row_times) = (Instant::now(), row_times(1));
    let far = now + 1_000_000 * MS;
    let mut admissions = Admissions::new(8);
    let wide = |robust| Demand {
        outstanding: PerRole { standard: 0, robust },
        ..Demand::default()
    };
    admissions
        .admit(&share(), Priority::Bulk, far, &wide(6), now, &row_times)
        .unwrap();
    admissions
        .admit(&share(), Priority::Bulk, far, &wide(1), now, &row_times)
        .unwrap_err();
    admissions
        .admit(&share(), Priority::Interactive, far, &wide(2), now, &row_times)
        .unwrap();
}

#[test]
fn a_deadline_behind_too_many_rows_is_refused() {
    let (now, row_times) = (Instant::now(), row_times(2));
    let mut admissions = Admissions::new(1000);
    // Each request takes two executors one millisecond.
    for _ in 0..50 {
        admissions
            .admit(&share(), Priority::Interactive, now + 60 * MS, &one(), now, &row_times)
            .unwrap();
    }
    let refused = admissions
        .admit(
            &share(),
            Priority::Interactive,
            now + 60 * MS,
            &votes(60, 60),
            now,
            &row_times,
        )
        .unwrap_err();
    let expected = Refusal::TooLate {
        left: 60 * MS,
        // 100 rows are ahead, and 61 are its own.
        wait: Duration::from_micros(80_500),
        retry_after: Duration::from_micros(40_250),
    };
    assert_eq!(refused, expected);
}

#[test]
fn a_deadline_too_short_for_an_idle_machine_has_its_own_refusal() {
    let (now, row_times) = (Instant::now(), row_times(1));
    let mut admissions = Admissions::new(1000);
    let first = admissions.admit(&share(), Priority::Interactive, now + 900 * MS, &one(), now, &row_times);
    first.unwrap();
    let refused = admissions.admit(
        &share(),
        Priority::Interactive,
        now + 10 * MS,
        &votes(19, 19),
        now,
        &row_times,
    );
    let expected = Refusal::TooShort {
        left: 10 * MS,
        alone: 20 * MS,
    };
    assert_eq!(refused, Err(expected));
    assert_eq!(expected.retry_after(), Duration::ZERO);
}

#[test]
fn an_earlier_deadline_is_admitted_ahead_of_others() {
    let (now, row_times) = (Instant::now(), row_times(2));
    let mut admissions = Admissions::new(1000);
    for _ in 0..80 {
        admissions
            .admit(&share(), Priority::Interactive, now + 200 * MS, &one(), now, &row_times)
            .unwrap();
    }
    // Behind the 80 it would be late. Ahead of them it is in time, and they still are.
    admissions
        .admit(&share(), Priority::Interactive, now + 10 * MS, &one(), now, &row_times)
        .unwrap();
    let late = admissions.admit(
        &share(),
        Priority::Interactive,
        now + 210 * MS,
        &votes(300, 300),
        now,
        &row_times,
    );
    assert!(matches!(late, Err(Refusal::TooLate { .. })), "{late:?}");
}

#[test]
fn a_later_arrival_makes_no_admitted_request_late() {
    let (now, row_times) = (Instant::now(), row_times(1));
    let mut admissions = Admissions::new(1000);
    for _ in 0..50 {
        admissions
            .admit(&share(), Priority::Interactive, now + 115 * MS, &one(), now, &row_times)
            .unwrap();
    }
    // 100 ms of work are admitted, 110 ms with the margin; 10 ms more ahead of them are too much.
    let refused = admissions
        .admit(
            &share(),
            Priority::Interactive,
            now + 60 * MS,
            &votes(9, 9),
            now,
            &row_times,
        )
        .unwrap_err();
    assert!(matches!(refused, Refusal::Crowded { .. }), "{refused:?}");
    admissions
        .admit(&share(), Priority::Interactive, now + 60 * MS, &one(), now, &row_times)
        .unwrap();
}

#[test]
fn an_idle_machine_refuses_a_request_that_it_cannot_answer_in_time() {
    let (now, row_times) = (Instant::now(), row_times(1));
    let mut admissions = Admissions::new(1000);
    let hopeless = votes(1000, 1000);
    let refused = admissions.admit(&share(), Priority::Interactive, now + MS, &hopeless, now, &row_times);
    assert!(matches!(refused, Err(Refusal::TooShort { .. })), "{refused:?}");
    // The margin counts: 1001 ms of work do not fit in 1100 ms.
    let close = admissions.admit(&share(), Priority::Bulk, now + 1100 * MS, &hopeless, now, &row_times);
    assert!(matches!(close, Err(Refusal::TooShort { .. })), "{close:?}");
    admissions
        .admit(&share(), Priority::Bulk, now + 1102 * MS, &hopeless, now, &row_times)
        .unwrap();
}

#[test]
fn finished_rows_are_no_longer_ahead() {
    let (now, row_times) = (Instant::now(), row_times(1));
    let mut admissions = Admissions::new(1000);
    let first = admissions
        .admit(
            &share(),
            Priority::Interactive,
            now + 50 * MS,
            &votes(100, 17),
            now,
            &row_times,
        )
        .unwrap();
    let next = |admissions: &mut Admissions| {
        let admitted = admissions.admit(
            &share(),
            Priority::Interactive,
            now + 60 * MS,
            &votes(10, 10),
            now,
            &row_times,
        );
        admitted.map(|request| admissions.release(&request, &votes(10, 10).outstanding))
    };
    next(&mut admissions).unwrap_err();
    admissions.done(&first, Role::Robust, 60);
    next(&mut admissions).unwrap();
    // The request draws more votes than expected, which must not count as negative work.
    admissions.done(&first, Role::Robust, 1000);
    next(&mut admissions).unwrap();
    admissions.release(&first, &votes(100, 17).outstanding);
    assert!(admissions.backlogs.iter().all(|backlog| backlog.connections.is_empty()));
    assert_eq!(admissions.outstanding(), PerRole::default());
}

#[test]
fn bulk_waits_for_all_interactive_rows() {
    let (now, row_times) = (Instant::now(), row_times(1));
    let mut admissions = Admissions::new(1000);
    for _ in 0..20 {
        admissions
            .admit(&share(), Priority::Interactive, now + 900 * MS, &one(), now, &row_times)
            .unwrap();
    }
    let refused = admissions
        .admit(
            &share(),
            Priority::Bulk,
            now + 50 * MS,
            &votes(1000, 17),
            now,
            &row_times,
        )
        .unwrap_err();
    assert!(matches!(refused, Refusal::TooLate { .. }), "{refused:?}");
    // An interactive request does not wait for bulk rows.
    admissions
        .admit(
            &share(),
            Priority::Bulk,
            now + 500 * MS,
            &votes(1000, 17),
            now,
            &row_times,
        )
        .unwrap();
    admissions
        .admit(&share(), Priority::Interactive, now + 50 * MS, &one(), now, &row_times)
        .unwrap();
}

proptest! {
    /// The sums stay correct over all admissions and releases. An admitted request meets its deadline if
    /// every row takes the estimated time and the order is kept.
    #[test]
    fn admitted_requests_meet_their_deadlines(
        steps in prop::collection::vec((1u64..6, 1u64..60, any::<bool>()), 1..80),
        executors in 1usize..4,
    ) {
        let (now, row_times) = (Instant::now(), row_times(executors));
        let mut admissions = Admissions::new(1 << 20);
        let mut live: Vec<(AdmittedRequest, Demand)> = Vec::new();
        for (count, deadline, leaves) in steps {
            let demand = Demand {
                outstanding: PerRole { standard: 1, robust: 1 },
                expected: rows(count, count),
                needed: rows(count, count),
            };
            if let Ok(request) = admissions.admit(&share(), Priority::Interactive, now + u32::try_from(deadline).unwrap() * MS, &demand, now, &row_times) {
                live.push((request, demand));
            }
            if leaves && let Some((request, demand)) = live.pop() {
                admissions.release(&request, &demand.outstanding);
            }
            let sum = live.iter().fold(Rows::default(), |sum, (_, demand)| plus(&sum, &demand.expected));
            prop_assert_eq!(admissions.backlogs[0].expected, sum);
            live.sort_by_key(|(request, _)| request.urgency);
            let mut before = Rows::default();
            for (request, demand) in &live {
                before = plus(&before, &demand.expected);
                let wait = row_times.on_all_executors(&before);
                prop_assert!(wait <= request.urgency.deadline - now, "{request:?} is late");
            }
        }
    }
}

#[test]
fn rows_after_the_own_deadline_do_not_count_against_others() {
    let (now, row_times) = (Instant::now(), row_times(1));
    let ends_soon = (now + 2000 * MS, votes(60_000, 17));
    let has_time = (now + 30_000 * MS, votes(100, 17));
    for pair in [[ends_soon, has_time], [has_time, ends_soon]] {
        let mut admissions = Admissions::new(1000);
        for (deadline, demand) in pair {
            admissions
                .admit(&share(), Priority::Bulk, deadline, &demand, now, &row_times)
                .unwrap();
        }
    }
}

#[test]
fn a_caller_within_its_share_is_admitted_beside_any_backlog() {
    let (now, row_times) = (Instant::now(), row_times(2));
    let mut admissions = Admissions::new(1 << 20);
    let admit = |admissions: &mut Admissions, share: &CallerShare, deadline: u32, rows: u64| {
        let demand = votes(rows, rows);
        admissions.admit(
            share,
            Priority::Interactive,
            now + deadline * MS,
            &demand,
            now,
            &row_times,
        )
    };
    // Three greedy callers take what they get, with deadlines before and after that of the honest one.
    for round in 0..400 {
        for greedy in 1..=3 {
            let _ = admit(&mut admissions, &share_of(greedy, u64::from(round % 5)), 20 + round, 7);
        }
    }
    // 20 ms of work in a quarter of 100 ms, with the margin.
    admit(&mut admissions, &share_of(9, 1), 100, 39).unwrap();
    // More than its share has to leave room for those that were admitted before.
    let more = admit(&mut admissions, &share_of(9, 1), 100, 39);
    assert!(
        matches!(more, Err(Refusal::TooLate { .. } | Refusal::Crowded { .. })),
        "{more:?}"
    );
    // Another connection of a greedy caller has a part of its share only.
    let connection = admit(&mut admissions, &share_of(3, 77), 100, 39);
    assert!(connection.is_err(), "{connection:?}");
    admit(&mut admissions, &share_of(3, 77), 100, 4).unwrap();
}

#[test]
fn work_beyond_the_share_does_not_make_others_late() {
    let (now, row_times) = (Instant::now(), row_times(1));
    let mut admissions = Admissions::new(1 << 20);
    let admit = |admissions: &mut Admissions, share: &CallerShare, deadline: u32, rows: u64| {
        let demand = votes(rows, rows);
        admissions.admit(
            share,
            Priority::Interactive,
            now + deadline * MS,
            &demand,
            now,
            &row_times,
        )
    };
    // Alone, a caller may have nearly all the time until its deadline.
    admit(&mut admissions, &share_of(1, 1), 100, 79).unwrap();
    // 30 ms more are beyond half of 40 ms, and would make the first request late.
    let crowded = admit(&mut admissions, &share_of(2, 1), 40, 29);
    assert!(
        matches!(crowded, Err(Refusal::TooLate { .. } | Refusal::Crowded { .. })),
        "{crowded:?}"
    );
    // 15 ms are within it.
    admit(&mut admissions, &share_of(2, 1), 40, 14).unwrap();
}

#[test]
fn a_certification_with_a_huge_budget_leaves_others_their_share() {
    let (now, row_times) = (Instant::now(), row_times(2));
    let mut admissions = Admissions::new(4096);
    let certify = |admissions: &mut Admissions, share: &CallerShare, left: Duration| {
        admissions.admit(
            share,
            Priority::Bulk,
            now + left,
            &votes(1_000_000, 17),
            now,
            &row_times,
        )
    };
    for connection in 0..4 {
        certify(&mut admissions, &share_of(1, connection), 3600 * 1000 * MS).unwrap();
    }
    // 9 ms of work, half of the time.
    certify(&mut admissions, &share_of(2, 1), 25 * MS).unwrap();
    // One Predict of 64 inputs with many votes has nine tenths of the time, not all.
    admissions
        .admit(
            &share_of(3, 1),
            Priority::Interactive,
            now + 60_000 * MS,
            &votes(64 * 256, 64 * 11),
            now,
            &row_times,
        )
        .unwrap();
    certify(&mut admissions, &share_of(4, 1), 25 * MS).unwrap_err();
    certify(&mut admissions, &share_of(4, 1), 400 * MS).unwrap();
}

#[test]
fn weights_scale_the_shares() {
    let (now, row_times) = (Instant::now(), row_times(1));
    let admit = |weight: f64, rows: u64| {
        let mut admissions = Admissions::new(1 << 20);
        let heavy = CallerShare {
            weight,
            ..share_of(1, 1)
        };
        // The other one has more than enough work.
        let demand = votes(900, 900);
        let deadline = now + 1000 * MS;
        admissions
            .admit(
                &share_of(2, 1),
                Priority::Interactive,
                deadline,
                &demand,
                now,
                &row_times,
            )
            .unwrap();
        let demand = votes(rows, rows);
        let deadline = now + 100 * MS;
        admissions
            .admit(&heavy, Priority::Interactive, deadline, &demand, now, &row_times)
            .is_ok()
    };
    // Of 90 ms with the margin, weight 1 has a half, and weight 3 three quarters.
    assert!(admit(1.0, 44) && !admit(1.0, 60));
    assert!(admit(3.0, 66) && !admit(3.0, 80));
}

/// Prints the cost of an admission beside 4096 admitted requests: run it in release with `--nocapture`.
#[test]
fn the_cost_of_an_admission_is_bounded() {
    let (now, row_times) = (Instant::now(), row_times(2));
    for callers in [1_u32, 16, 500] {
        for (name, deadline, later) in [("same deadlines", 5000, 5001), ("earliest deadline", 5000, 100)] {
            let mut admissions = Admissions::new(1 << 20);
            let tiny = Demand {
                outstanding: PerRole { standard: 1, robust: 1 },
                expected: rows(1, 0),
                needed: rows(1, 0),
            };
            let mut admit = |caller: u32, deadline: u32| {
                admissions.admit(
                    &share_of(caller, 1),
                    Priority::Interactive,
                    now + deadline * MS,
                    &tiny,
                    now,
                    &row_times,
                )
            };
            for number in 0..4096_u32 {
                admit(number % callers, deadline + number % 7).unwrap();
            }
            let start = Instant::now();
            let mut count = 0;
            while count < 200 {
                count += 1;
                let _ = admit(count % callers, later);
            }
            println!(
                "{callers} callers, {name}: {:?} for each admission",
                start.elapsed() / count
            );
        }
    }
}
