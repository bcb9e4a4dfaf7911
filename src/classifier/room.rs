//! How many rows a request may have outstanding, and the room that it reserves for them.

use super::parts::Robust;
use super::{ClassifierError, MixedClassifier};
use crate::scheduler::{Class, Reservation};

/// Inputs of one request whose votes are drawn at the same time, at most.
pub(super) const VOTE_LANES: usize = 4;

/// Room for the rows that one request may have outstanding.
pub(super) struct Room {
    pub(super) standard: Reservation,
    pub(super) robust: Reservation,
}

impl MixedClassifier {
    /// Batches of votes that one input has outstanding: one for each executor, and one more to come.
    pub(super) fn vote_depth(&self) -> usize {
        self.robust.scheduler.executors() + 1
    }

    /// Inputs of a request of `inputs` that are worked on at the same time.
    pub(super) fn lanes(&self, inputs: usize) -> usize {
        match self.robust_kind {
            Robust::OneRow(_) => inputs,
            Robust::Smoothed(_) => inputs.min(VOTE_LANES),
        }
    }

    /// Reserves the rows of a request of `inputs`, all of them or none.
    pub(super) fn room(&self, inputs: usize, class: Class) -> Result<Room, ClassifierError> {
        let robust_rows = match self.robust_kind {
            Robust::OneRow(_) => inputs,
            Robust::Smoothed(_) => self.lanes(inputs) * self.vote_depth() * self.robust.scheduler.max_batch_size(),
        };
        Ok(Room {
            standard: self.standard.scheduler.reserve(inputs, class)?,
            robust: self.robust.scheduler.reserve(robust_rows, class)?,
        })
    }
}
