//! Who is let in: bounded rows, and only what can be answered in time. A state machine without clock or threads.
//!
//! Every request says how many rows it will have outstanding at a time, how many it will probably need in all, and how
//! many it needs to have any answer. The first are bounded. The others, with the measured speed, tell when the rows ahead
//! of it will be done: a request that could not be answered by its deadline, or that would push one over its deadline which
//! was let in before, is refused before it costs anything.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::speed::{Rows, Speed};
use super::urgency::Urgency;
use crate::call::RefusalReason;
use crate::domain::{PerRole, Priority, Role};

/// The estimate is off now and then; a request is let in if a tenth more than it still fits.
const SLACK: f64 = 1.1;

/// What a request asks of the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Rows that it may have outstanding at a time.
    pub outstanding: PerRole<usize>,
    /// Rows that it will probably need in all.
    pub expected: PerRole<u64>,
    /// Rows without which there is no answer.
    pub needed: PerRole<u64>,
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The rows admitted and not yet finished reach the capacity.
    #[error(
        "the queue is full: {admitted} of {capacity} rows of the {} model are taken, {wanted} more were wanted", role.name()
    )]
    Full {
        /// Of which model.
        role: Role,
        /// Rows taken.
        admitted: usize,
        /// Rows that there may be.
        capacity: usize,
        /// Rows wanted.
        wanted: usize,
        /// How long the rows that are there will take.
        retry_after: Duration,
    },
    /// The rows ahead take longer than there is time.
    #[error(
        "the deadline cannot be met: it is {left:.1?} away, and these rows with those ahead take about {wait:.1?}, of which a \
         tenth more is kept in hand"
    )]
    TooLate {
        /// Until the deadline.
        left: Duration,
        /// Until there would be an answer, by the measured speed.
        wait: Duration,
        /// Half of that, or until it would have fitted.
        retry_after: Duration,
    },
    /// Even alone it would not be in time: coming again does not help.
    #[error("the deadline cannot be met: it is {left:.1?} away, and the rows take about {alone:.1?} by themselves")]
    TooShort {
        /// Until the deadline.
        left: Duration,
        /// What its rows take on an idle machine.
        alone: Duration,
    },
    /// It would have been in time, and made another late that was let in before it.
    #[error("the deadlines of requests that were here before leave no time for this one")]
    Crowded {
        /// Until the one that it would have made late is done, or its deadline has come.
        retry_after: Duration,
    },
}

impl Refusal {
    /// In one word.
    #[must_use]
    pub fn reason(&self) -> RefusalReason {
        match self {
            Self::Full { .. } => RefusalReason::QueueFull,
            Self::TooLate { .. } => RefusalReason::TooLate,
            Self::TooShort { .. } => RefusalReason::TooShort,
            Self::Crowded { .. } => RefusalReason::Crowded,
        }
    }

    /// When to come again.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::TooShort { .. } => Duration::ZERO,
            Self::Full { retry_after, .. } | Self::TooLate { retry_after, .. } | Self::Crowded { retry_after } => {
                *retry_after
            }
        }
    }
}

/// Rows that bulk requests may be admitted to: the rest is kept for interactive ones, so that a crowd of certifications
/// cannot have every Predict refused.
#[must_use]
pub fn bulk_capacity(capacity: usize) -> usize {
    capacity - capacity / 4
}

/// What a request that was let in still has before it.
#[derive(Debug, Clone, Copy)]
struct Left {
    expected: Rows,
    needed: Rows,
}

/// The requests that were let in and have not ended.
#[derive(Debug)]
pub(super) struct Admissions {
    live: BTreeMap<Urgency, Left>,
    outstanding: PerRole<usize>,
    /// Sums of what is left, of interactive and of bulk requests.
    expected: [Rows; 2],
    capacity: usize,
    arrivals: u64,
}

impl Admissions {
    /// `capacity` bounds the rows outstanding for each model.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            live: BTreeMap::new(),
            outstanding: PerRole::default(),
            expected: [Rows::default(); 2],
            capacity,
            arrivals: 0,
        }
    }

    /// Rows that may be outstanding for each model.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Rows that the requests in flight were let in with.
    pub(super) fn outstanding(&self) -> PerRole<usize> {
        self.outstanding
    }

    /// Lets a request in, or says why not.
    pub(super) fn admit(
        &mut self,
        priority: Priority,
        deadline: Instant,
        demand: &Demand,
        now: Instant,
        speed: &Speed,
    ) -> Result<Urgency, Refusal> {
        self.check_room(priority, demand, speed)?;
        let demand = &until(deadline.saturating_duration_since(now), demand, speed);
        let request = Urgency {
            priority,
            deadline,
            arrival: self.arrivals + 1,
        };
        self.check_time(&request, demand, now, speed)?;
        self.arrivals += 1;
        for role in Role::ALL {
            self.outstanding[role] += demand.outstanding[role];
            self.expected[priority.index()][role] += demand.expected[role];
        }
        let left = Left {
            expected: demand.expected,
            needed: demand.needed,
        };
        self.live.insert(request, left);
        Ok(request)
    }

    fn check_room(&self, priority: Priority, demand: &Demand, speed: &Speed) -> Result<(), Refusal> {
        let capacity = match priority {
            Priority::Interactive => self.capacity,
            Priority::Bulk => bulk_capacity(self.capacity),
        };
        for role in Role::ALL {
            let (admitted, wanted) = (self.outstanding[role], demand.outstanding[role]);
            if wanted > capacity.saturating_sub(admitted) {
                return Err(Refusal::Full {
                    role,
                    admitted,
                    capacity,
                    wanted,
                    retry_after: speed.wait(&self.expected[0]),
                });
            }
        }
        Ok(())
    }

    fn check_time(&self, request: &Urgency, demand: &Demand, now: Instant, speed: &Speed) -> Result<(), Refusal> {
        let later = || {
            self.live
                .range(*request..)
                .take_while(|(other, _)| other.priority == request.priority)
        };
        let behind = later().fold(Rows::default(), |sum, (_, left)| plus(&sum, &left.expected));
        let mut ahead = minus(&self.expected[request.priority.index()], &behind);
        if request.priority == Priority::Bulk {
            ahead = plus(&ahead, &self.expected[Priority::Interactive.index()]);
        }
        let fits = |rows: &Rows, deadline: Instant| {
            let left = deadline.saturating_duration_since(now);
            speed.wait(rows).as_secs_f64() * SLACK <= left.as_secs_f64()
        };
        // With nobody of its priority or a more urgent one there it is tried, whatever the estimate says: only runs can correct that.
        let first = self.live.first_key_value();
        let idle = first.is_none_or(|(first, _)| first.priority > request.priority);
        if !idle && !fits(&plus(&ahead, &demand.needed), request.deadline) {
            let left = request.deadline.saturating_duration_since(now);
            if !fits(&demand.needed, request.deadline) {
                let alone = speed.wait(&demand.needed);
                return Err(Refusal::TooShort { left, alone });
            }
            let wait = speed.wait(&plus(&ahead, &demand.needed));
            // Not as soon as it might just fit: a crowd that comes back then is refused again.
            let retry_after = wait.saturating_sub(left).max(wait / 2);
            return Err(Refusal::TooLate {
                left,
                wait,
                retry_after,
            });
        }
        let mut before = ahead;
        for (other, left) in later() {
            let alone = plus(&before, &left.needed);
            if fits(&alone, other.deadline) && !fits(&plus(&alone, &demand.expected), other.deadline) {
                // Until the one that stands in its way is done, or gone.
                let done = speed.wait(&plus(&before, &left.expected));
                let gone = other.deadline.saturating_duration_since(now);
                return Err(Refusal::Crowded {
                    retry_after: done.min(gone),
                });
            }
            before = plus(&before, &left.expected);
        }
        Ok(())
    }

    /// `rows` rows of `request` are done.
    pub(super) fn done(&mut self, request: &Urgency, role: Role, rows: usize) {
        let Some(left) = self.live.get_mut(request) else {
            return;
        };
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        left.needed[role] = left.needed[role].saturating_sub(rows);
        let fewer = left.expected[role].min(rows);
        left.expected[role] -= fewer;
        let sum = &mut self.expected[request.priority.index()][role];
        *sum = sum.saturating_sub(fewer);
    }

    /// `request` has ended, and gives back the rows that it might have outstanding.
    pub(super) fn release(&mut self, request: &Urgency, outstanding: &PerRole<usize>) {
        let Some(left) = self.live.remove(request) else {
            return;
        };
        let sum = &mut self.expected[request.priority.index()];
        *sum = minus(sum, &left.expected);
        for role in Role::ALL {
            self.outstanding[role] = self.outstanding[role].saturating_sub(outstanding[role]);
        }
    }
}

/// The demand of a request that ends in `left`, done or not: it will not need more rows than run until then, but it waits for
/// those without which there is no answer.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate; rows stay far below 2^53"
)]
fn until(left: Duration, demand: &Demand, speed: &Speed) -> Demand {
    let whole = speed.wait(&demand.expected);
    if whole <= left {
        return *demand;
    }
    let share = left.as_secs_f64() / whole.as_secs_f64();
    let fewer = |role: Role| ((demand.expected[role] as f64 * share) as u64).max(demand.needed[role]);
    Demand {
        expected: PerRole::of(fewer),
        ..*demand
    }
}

fn plus(left: &Rows, right: &Rows) -> Rows {
    PerRole::of(|role| left[role].saturating_add(right[role]))
}

fn minus(left: &Rows, right: &Rows) -> Rows {
    PerRole::of(|role| left[role].saturating_sub(right[role]))
}

#[cfg(test)]
mod tests;
