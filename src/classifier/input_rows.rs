//! Rows that are sent as they are.

use std::sync::Arc;

use crate::domain::Input;
use crate::scheduler::RowSource;

/// Row `i` is input `i`. The values become floats on the executor's thread, where the model reads them.
pub(super) struct InputRows(pub(super) Arc<[Input]>);

impl RowSource for InputRows {
    fn fill(&self, row: usize, out: &mut [f32]) -> Result<(), String> {
        let input = self.0.get(row).ok_or_else(|| format!("there is no input {row}"))?;
        input.write(out)
    }
}
