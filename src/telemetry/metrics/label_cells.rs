//! Labelled metrics that are found by an index. A look-up by label values would hash them on every
//! request.

use std::sync::OnceLock;

use prometheus::core::{MetricVec, MetricVecBuilder};

use crate::domain::{PerRole, Role};

/// One cell for every combination of label values. A cell is exported from its first access on.
pub(super) struct LabelCells<M> {
    create: Box<CreateMetric<M>>,
    cells: Box<[OnceLock<Option<M>>]>,
}

/// Creates the metric of a combination of label values.
type CreateMetric<M> = dyn Fn(&[&str]) -> Option<M> + Send + Sync;

impl<M: Send + Sync + 'static> LabelCells<M> {
    /// Cells for `cells` combinations of the label values of `family`.
    pub(super) fn new<T>(family: MetricVec<T>, cells: usize) -> Self
    where
        T: MetricVecBuilder<M = M> + 'static,
    {
        Self {
            create: Box::new(move |values| family.get_metric_with_label_values(values).ok()),
            cells: std::iter::repeat_with(OnceLock::new).take(cells).collect(),
        }
    }

    /// The cell at `index`, which has the label values `values`; `None` if the index is out of range.
    pub(super) fn cell<const LABELS: usize>(&self, index: usize, values: [&str; LABELS]) -> Option<&M> {
        self.cells.get(index)?.get_or_init(|| (self.create)(&values)).as_ref()
    }
}

/// One metric of `family` for each model.
pub(super) fn per_role<T: MetricVecBuilder>(family: &MetricVec<T>) -> Result<PerRole<T::M>, prometheus::Error> {
    let of = |role: Role| family.get_metric_with_label_values(&[role.name()]);
    Ok(PerRole {
        standard: of(Role::Standard)?,
        robust: of(Role::Robust)?,
    })
}
