//! Forecasts how many votes a request draws.

use std::sync::{Mutex, PoisonError};

use crate::domain::Priority;

/// The share of its vote limit that a request draws, as a moving average for each priority.
/// Most requests stop early.
#[derive(Debug)]
pub(in crate::classifier) struct VoteForecast {
    shares: Mutex<[f64; 2]>,
}

impl VoteForecast {
    /// The weight of the newest request in the moving average.
    const NEWEST_WEIGHT: f64 = 1.0 / 16.0;

    /// Creates a forecast without data: it expects that a request draws all its votes.
    pub(in crate::classifier) fn new() -> Self {
        Self {
            shares: Mutex::new([1.0; 2]),
        }
    }

    /// Returns how many of `max_votes` a request of `priority` is expected to draw.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub(in crate::classifier) fn expected(&self, priority: Priority, max_votes: u64) -> u64 {
        let share = self.shares.lock().unwrap_or_else(PoisonError::into_inner)[priority.index()];
        (max_votes as f64 * share).ceil() as u64
    }

    /// Records that a request of `priority` drew `drawn` of `max_votes` votes.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(in crate::classifier) fn record(&self, priority: Priority, drawn: u64, max_votes: u64) {
        let observed = drawn.min(max_votes) as f64 / max_votes.max(1) as f64;
        let share = &mut self.shares.lock().unwrap_or_else(PoisonError::into_inner)[priority.index()];
        *share += (observed - *share) * Self::NEWEST_WEIGHT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forecast_converges_to_the_drawn_share_of_each_priority() {
        let forecast = VoteForecast::new();
        assert_eq!(forecast.expected(Priority::Bulk, 1000), 1000);
        for _ in 0..200 {
            forecast.record(Priority::Bulk, 100, 1000);
        }
        assert!((100..110).contains(&forecast.expected(Priority::Bulk, 1000)));
        assert_eq!(forecast.expected(Priority::Interactive, 1000), 1000);
    }
}
