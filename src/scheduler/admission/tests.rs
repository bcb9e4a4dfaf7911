use std::cell::Cell;
use std::sync::Arc;

use proptest::prelude::*;

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
        None,
    )
}

/// Admissions at one moment.
struct Moment {
    admissions: Admissions,
    now: Instant,
    row_times: RowTimes,
}

impl Moment {
    fn new(capacity: usize, executors: usize) -> Self {
        Self {
            admissions: Admissions::new(capacity),
            now: Instant::now(),
            row_times: row_times(executors),
        }
    }

    /// Asks for admission of a request whose deadline is `left` away.
    fn admit(
        &mut self,
        share: &CallerShare,
        priority: Priority,
        left: Duration,
        demand: &Demand,
    ) -> Result<AdmittedRequest, Refusal> {
        let (deadline, row_times) = (self.now + left, &self.row_times);
        self.admissions
            .admit(share, priority, deadline, demand, self.now, row_times)
    }

    /// Asks for admission of an interactive request of `rows` votes on an input.
    fn predict(&mut self, share: &CallerShare, left: Duration, rows: u64) -> Result<AdmittedRequest, Refusal> {
        self.admit(share, Priority::Interactive, left, &votes(rows, rows))
    }
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
    let mut moment = Moment::new(10, 1);
    let far = 1_000_000 * MS;
    let wide = |robust| Demand {
        outstanding: PerRole { standard: 1, robust },
        ..Demand::default()
    };
    let first = moment.admit(&share(), Priority::Interactive, far, &wide(8)).unwrap();
    let refused = moment
        .admit(&share(), Priority::Interactive, far, &wide(3))
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
    assert_eq!(moment.admissions.outstanding(), PerRole { standard: 1, robust: 8 });
    moment.admissions.release(&first, &wide(8).outstanding);
    // A second release returns nothing more.
    moment.admissions.release(&first, &wide(8).outstanding);
    moment.admit(&share(), Priority::Interactive, far, &wide(10)).unwrap();
}

#[test]
fn bulk_leaves_capacity_for_interactive_rows() {
    let far = 1_000_000 * MS;
    let mut moment = Moment::new(8, 1);
    let wide = |robust| Demand {
        outstanding: PerRole { standard: 0, robust },
        ..Demand::default()
    };
    moment.admit(&share(), Priority::Bulk, far, &wide(6)).unwrap();
    moment.admit(&share(), Priority::Bulk, far, &wide(1)).unwrap_err();
    moment.admit(&share(), Priority::Interactive, far, &wide(2)).unwrap();
}

#[test]
fn a_deadline_behind_too_many_rows_is_refused() {
    let mut moment = Moment::new(1000, 2);
    // Each request takes two executors one millisecond.
    for _ in 0..50 {
        moment.admit(&share(), Priority::Interactive, 60 * MS, &one()).unwrap();
    }
    let refused = moment
        .admit(&share(), Priority::Interactive, 60 * MS, &votes(60, 60))
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
    let mut moment = Moment::new(1000, 1);
    let first = moment.admit(&share(), Priority::Interactive, 900 * MS, &one());
    first.unwrap();
    let refused = moment.admit(&share(), Priority::Interactive, 10 * MS, &votes(19, 19));
    let expected = Refusal::TooShort {
        left: 10 * MS,
        alone: 20 * MS,
    };
    assert_eq!(refused, Err(expected));
    assert_eq!(expected.retry_after(), Duration::ZERO);
}

#[test]
fn an_earlier_deadline_is_admitted_ahead_of_others() {
    let mut moment = Moment::new(1000, 2);
    for _ in 0..80 {
        moment.admit(&share(), Priority::Interactive, 200 * MS, &one()).unwrap();
    }
    // Behind the 80 it would be late. Ahead of them it is in time, and they still are.
    moment.admit(&share(), Priority::Interactive, 10 * MS, &one()).unwrap();
    let late = moment.admit(&share(), Priority::Interactive, 210 * MS, &votes(300, 300));
    assert!(matches!(late, Err(Refusal::TooLate { .. })), "{late:?}");
}

#[test]
fn a_later_arrival_makes_no_admitted_request_late() {
    let mut moment = Moment::new(1000, 1);
    for _ in 0..50 {
        moment.admit(&share(), Priority::Interactive, 115 * MS, &one()).unwrap();
    }
    // 100 ms of work are admitted, 110 ms with the margin; 10 ms more ahead of them are too much.
    let refused = moment
        .admit(&share(), Priority::Interactive, 60 * MS, &votes(9, 9))
        .unwrap_err();
    assert!(matches!(refused, Refusal::Crowded { .. }), "{refused:?}");
    moment.admit(&share(), Priority::Interactive, 60 * MS, &one()).unwrap();
}

#[test]
fn an_idle_machine_refuses_a_request_that_it_cannot_answer_in_time() {
    let mut moment = Moment::new(1000, 1);
    let hopeless = votes(1000, 1000);
    let refused = moment.admit(&share(), Priority::Interactive, MS, &hopeless);
    assert!(matches!(refused, Err(Refusal::TooShort { .. })), "{refused:?}");
    // The margin counts: 1001 ms of work do not fit in 1100 ms.
    let close = moment.admit(&share(), Priority::Bulk, 1100 * MS, &hopeless);
    assert!(matches!(close, Err(Refusal::TooShort { .. })), "{close:?}");
    moment.admit(&share(), Priority::Bulk, 1102 * MS, &hopeless).unwrap();
}

#[test]
fn finished_rows_are_no_longer_ahead() {
    let mut moment = Moment::new(1000, 1);
    let first = moment
        .admit(&share(), Priority::Interactive, 50 * MS, &votes(100, 17))
        .unwrap();
    let next = |moment: &mut Moment| {
        let admitted = moment.admit(&share(), Priority::Interactive, 60 * MS, &votes(10, 10));
        admitted.map(|request| moment.admissions.release(&request, &votes(10, 10).outstanding))
    };
    next(&mut moment).unwrap_err();
    moment.admissions.done(&first, Role::Robust, 60);
    next(&mut moment).unwrap();
    // The request draws more votes than expected, which must not count as negative work.
    moment.admissions.done(&first, Role::Robust, 1000);
    next(&mut moment).unwrap();
    moment.admissions.release(&first, &votes(100, 17).outstanding);
    assert!(
        moment
            .admissions
            .backlogs
            .iter()
            .all(|backlog| backlog.connections.is_empty())
    );
    assert_eq!(moment.admissions.outstanding(), PerRole::default());
}

#[test]
fn bulk_waits_for_all_interactive_rows() {
    let mut moment = Moment::new(1000, 1);
    for _ in 0..20 {
        moment.admit(&share(), Priority::Interactive, 900 * MS, &one()).unwrap();
    }
    let refused = moment
        .admit(&share(), Priority::Bulk, 50 * MS, &votes(1000, 17))
        .unwrap_err();
    assert!(matches!(refused, Refusal::TooLate { .. }), "{refused:?}");
    // An interactive request does not wait for bulk rows.
    moment
        .admit(&share(), Priority::Bulk, 500 * MS, &votes(1000, 17))
        .unwrap();
    moment.admit(&share(), Priority::Interactive, 50 * MS, &one()).unwrap();
}

proptest! {
    /// The sums stay correct over all admissions and releases. An admitted request meets its deadline if
    /// every row takes the estimated time and the order is kept.
    #[test]
    fn admitted_requests_meet_their_deadlines(
        steps in prop::collection::vec((1u64..6, 1u64..60, any::<bool>()), 1..80),
        executors in 1usize..4,
    ) {
        let mut moment = Moment::new(1 << 20, executors);
        let mut live: Vec<(AdmittedRequest, Demand)> = Vec::new();
        for (count, deadline, leaves) in steps {
            let demand = Demand {
                outstanding: PerRole { standard: 1, robust: 1 },
                expected: rows(count, count),
                needed: rows(count, count),
            };
            if let Ok(request) = moment.admit(&share(), Priority::Interactive, u32::try_from(deadline).unwrap() * MS, &demand) {
                live.push((request, demand));
            }
            if leaves && let Some((request, demand)) = live.pop() {
                moment.admissions.release(&request, &demand.outstanding);
            }
            let sum = live.iter().fold(Rows::default(), |sum, (_, demand)| plus(&sum, &demand.expected));
            prop_assert_eq!(moment.admissions.backlogs[0].expected, sum);
            live.sort_by_key(|(request, _)| request.urgency);
            let mut before = Rows::default();
            for (request, demand) in &live {
                before = plus(&before, &demand.expected);
                let wait = moment.row_times.on_all_executors(&before);
                prop_assert!(wait <= request.urgency.deadline - moment.now, "{request:?} is late");
            }
        }
    }
}

#[test]
fn rows_after_the_own_deadline_do_not_count_against_others() {
    let ends_soon = (2000 * MS, votes(60_000, 17));
    let has_time = (30_000 * MS, votes(100, 17));
    for pair in [[ends_soon, has_time], [has_time, ends_soon]] {
        let mut moment = Moment::new(1000, 1);
        for (deadline, demand) in pair {
            moment.admit(&share(), Priority::Bulk, deadline, &demand).unwrap();
        }
    }
}

#[test]
fn a_caller_within_its_share_is_admitted_beside_any_backlog() {
    let mut moment = Moment::new(1 << 20, 2);
    // Three greedy callers take what they get, with deadlines before and after that of the honest one.
    for round in 0..400 {
        for greedy in 1..=3 {
            let _ = moment.predict(&share_of(greedy, u64::from(round % 5)), (20 + round) * MS, 7);
        }
    }
    // 20 ms of work in a quarter of 100 ms, with the margin.
    moment.predict(&share_of(9, 1), 100 * MS, 39).unwrap();
    // More than its share has to leave room for those that were admitted before.
    let more = moment.predict(&share_of(9, 1), 100 * MS, 39);
    assert!(
        matches!(more, Err(Refusal::TooLate { .. } | Refusal::Crowded { .. })),
        "{more:?}"
    );
    // Another connection of a greedy caller has a part of its share only.
    let connection = moment.predict(&share_of(3, 77), 100 * MS, 39);
    assert!(connection.is_err(), "{connection:?}");
    moment.predict(&share_of(3, 77), 100 * MS, 4).unwrap();
}

#[test]
fn work_beyond_the_share_does_not_make_others_late() {
    let mut moment = Moment::new(1 << 20, 1);
    // Alone, a caller may have nearly all the time until its deadline.
    moment.predict(&share_of(1, 1), 100 * MS, 79).unwrap();
    // 30 ms more are beyond half of 40 ms, and would make the first request late.
    let crowded = moment.predict(&share_of(2, 1), 40 * MS, 29);
    assert!(
        matches!(crowded, Err(Refusal::TooLate { .. } | Refusal::Crowded { .. })),
        "{crowded:?}"
    );
    // 15 ms are within it.
    moment.predict(&share_of(2, 1), 40 * MS, 14).unwrap();
}

#[test]
fn a_certification_with_a_huge_budget_leaves_others_their_share() {
    let mut moment = Moment::new(4096, 2);
    let certify = |moment: &mut Moment, share: &CallerShare, left: Duration| {
        moment.admit(share, Priority::Bulk, left, &votes(1_000_000, 17))
    };
    for connection in 0..4 {
        certify(&mut moment, &share_of(1, connection), 3600 * 1000 * MS).unwrap();
    }
    // 9 ms of work, half of the time.
    certify(&mut moment, &share_of(2, 1), 25 * MS).unwrap();
    // One Predict of 64 inputs with many votes has nine tenths of the time, not all.
    moment
        .admit(
            &share_of(3, 1),
            Priority::Interactive,
            60_000 * MS,
            &votes(64 * 256, 64 * 11),
        )
        .unwrap();
    certify(&mut moment, &share_of(4, 1), 25 * MS).unwrap_err();
    certify(&mut moment, &share_of(4, 1), 400 * MS).unwrap();
}

#[test]
fn weights_scale_the_shares() {
    let admits = |weight: f64, rows: u64| {
        let mut moment = Moment::new(1 << 20, 1);
        let heavy = CallerShare {
            weight,
            ..share_of(1, 1)
        };
        // The other one has more than enough work.
        moment.predict(&share_of(2, 1), 1000 * MS, 900).unwrap();
        moment.predict(&heavy, 100 * MS, rows).is_ok()
    };
    // Of 90 ms with the margin, weight 1 has a half, and weight 3 three quarters.
    assert!(admits(1.0, 44) && !admits(1.0, 60));
    assert!(admits(3.0, 66) && !admits(3.0, 80));
}

/// An admission examines a bounded number of the admitted requests, however many there are.
#[test]
fn the_cost_of_an_admission_is_bounded() {
    let mut moment = Moment::new(1 << 20, 2);
    let tiny = Demand {
        outstanding: PerRole { standard: 1, robust: 1 },
        expected: rows(1, 0),
        needed: rows(1, 0),
    };
    let connections = 16;
    for number in 0..4096_u32 {
        let share = share_of(number % connections, 1);
        let left = (5000 + number % 7) * MS;
        moment.admit(&share, Priority::Interactive, left, &tiny).unwrap();
    }
    let request = NewRequest {
        urgency: Urgency {
            priority: Priority::Interactive,
            deadline: moment.now + 100 * MS,
            arrival: u64::MAX,
        },
        caller: share_of(connections, 1).caller,
        weight: 1.0,
        rows: RemainingRows {
            expected: rows(64, 64),
            needed: rows(64, 64),
        },
        row_times: &moment.row_times,
    };
    let estimates = Cell::new(0_u32);
    // No request fits, with or without the new one, so that the search does not end early.
    let fits = |_, _| {
        estimates.set(estimates.get() + 1);
        false
    };
    let nothing = Rows::default();
    let _ = find_late(
        &moment.admissions.backlogs[0],
        &request,
        &nothing,
        Protected::All,
        &fits,
    );
    assert!((512..2048).contains(&estimates.get()), "{estimates:?}");
}
