//! One entry of a data set.

use std::ops::ControlFlow;

use crate::domain::Input;
use crate::evaluation::record_file::SkippedInput;

/// One input with its class.
#[derive(Debug, Clone)]
pub struct LabelledInput {
    /// The position in the data set, from 0.
    pub index: u64,
    /// The file, and the row where there is one. Unique in its data set.
    pub id: String,
    /// The class; `None` if the data set does not state it.
    pub label: Option<u32>,
    /// The values.
    pub input: Input,
}

/// An input, or a row that is none.
#[derive(Debug, Clone)]
pub enum DataSetEntry {
    /// An input that the model accepts.
    Input(LabelledInput),
    /// A row that the model does not accept, and the reason.
    Skipped(SkippedInput),
}

impl DataSetEntry {
    /// The entry of the row `index` with this id, from what was read there.
    pub(super) fn new(index: u64, id: String, read: Result<(Input, Option<u32>), String>) -> Self {
        match read {
            Ok((input, label)) => Self::Input(LabelledInput {
                index,
                id,
                label,
                input,
            }),
            Err(reason) => Self::Skipped(SkippedInput {
                index,
                name: id,
                reason,
            }),
        }
    }

    /// The position in the data set, from 0.
    #[must_use]
    pub fn index(&self) -> u64 {
        match self {
            Self::Input(input) => input.index,
            Self::Skipped(skipped) => skipped.index,
        }
    }
}

/// Receives the entries of a data set in their order, and decides whether to go on.
pub(super) type Sink<'a> = dyn FnMut(DataSetEntry) -> ControlFlow<()> + 'a;
