//! The inputs that a run has seen, and those that it has skipped.

use serde::{Deserialize, Serialize};

/// The most skipped inputs that a summary names. It counts all of them.
const MAX_NAMED: usize = 1000;

/// An input without a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedInput {
    /// The position of the input in its data set, from 0.
    pub index: u64,
    /// The file, and the row where there is one.
    pub name: String,
    /// What was found, and what was expected.
    pub reason: String,
}

/// The inputs that a run has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The position after the last input that the run has seen.
    pub next_index: u64,
    /// The inputs that were skipped.
    pub skipped: u64,
    /// The first thousand of them.
    pub skipped_inputs: Vec<SkippedInput>,
}

impl RunSummary {
    /// Adds a skipped input.
    pub fn add_skipped(&mut self, input: SkippedInput) {
        self.skipped += 1;
        if self.skipped_inputs.len() < MAX_NAMED {
            self.skipped_inputs.push(input);
        }
    }

    /// Adds the inputs that a later part of the run has seen.
    pub fn append(&mut self, later: Self) {
        self.next_index = later.next_index;
        self.skipped += later.skipped;
        let room = MAX_NAMED.saturating_sub(self.skipped_inputs.len());
        self.skipped_inputs.extend(later.skipped_inputs.into_iter().take(room));
    }
}
