//! The course of a run: cycles of attacks, each with a quiet phase at its end.

use std::time::Duration;

/// An hour has twenty cycles.
const LONG_CYCLE: Duration = Duration::from_secs(180);
const SHORT_CYCLE: Duration = Duration::from_secs(90);
/// The share of a cycle that is quiet.
const QUIET_SHARE: f64 = 0.2;
/// Every third slot of a cycle runs two attacks at once.
const PAIR_EVERY: usize = 3;

/// The lengths of a run.
#[derive(Debug, Clone, Copy)]
pub struct SoakPlan {
    pub total: Duration,
    pub cycle: Duration,
    pub sample_interval: Duration,
}

/// One cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// The attacks of each slot, by their indices.
    pub slots: Vec<Vec<usize>>,
    pub slot_time: Duration,
    /// The time at the end without attacks. Samples of its second half are compared between cycles.
    pub quiet_time: Duration,
}

impl SoakPlan {
    pub fn new(total: Duration) -> Self {
        let cycle = (total / 20).clamp(SHORT_CYCLE, LONG_CYCLE).min(total);
        Self {
            total,
            cycle,
            sample_interval: cycle / 36,
        }
    }

    /// A cycle in which every attack has a slot, in an order of its own.
    pub fn cycle(&self, attacks: usize, random: &mut fastrand::Rng) -> Cycle {
        let mut order: Vec<usize> = (0..attacks).collect();
        random.shuffle(&mut order);
        let slots: Vec<Vec<usize>> = order
            .iter()
            .enumerate()
            .map(|(slot, &attack)| match order.get(slot + 1) {
                Some(&next) if slot % PAIR_EVERY == PAIR_EVERY - 1 => vec![attack, next],
                _ => vec![attack],
            })
            .collect();
        let quiet_time = self.cycle.mul_f64(QUIET_SHARE);
        let busy_time = self.cycle.saturating_sub(quiet_time);
        Cycle {
            slot_time: busy_time / u32::try_from(slots.len().max(1)).unwrap_or(u32::MAX),
            slots,
            quiet_time,
        }
    }
}
