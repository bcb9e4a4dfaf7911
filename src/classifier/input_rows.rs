//! The rows of inputs without noise.

use std::sync::Arc;

use crate::domain::Input;
use crate::scheduler::RowSource;

/// The rows of inputs without noise: row `i` is input `i`.
///
/// The executor's thread converts the values to floats where the model reads them.
pub(super) struct InputRows(pub(super) Arc<[Input]>);

impl RowSource for InputRows {
    fn fill(&self, row: usize, out: &mut [f32]) -> Result<(), String> {
        let input = self.0.get(row).ok_or_else(|| format!("no input has the index {row}"))?;
        input.write(out)
    }
}
