//! Metrics with labels, found by an index: a look-up by label values would hash them for each request.

use std::sync::OnceLock;

use prometheus::core::{MetricVec, MetricVecBuilder};

use crate::domain::{PerRole, Role};

/// Cells for every combination of label values. One is exported from the first time it is asked for.
pub(super) struct Grid<M> {
    make: Box<Make<M>>,
    cells: Box<[OnceLock<Option<M>>]>,
}

/// Finds or makes the metric of some label values.
type Make<M> = dyn Fn(&[&str]) -> Option<M> + Send + Sync;

impl<M: Send + Sync + 'static> Grid<M> {
    /// `cells` combinations of the labels of `family`.
    pub(super) fn new<T>(family: MetricVec<T>, cells: usize) -> Self
    where
        T: MetricVecBuilder<M = M> + 'static,
    {
        Self {
            make: Box::new(move |values| family.get_metric_with_label_values(values).ok()),
            cells: std::iter::repeat_with(OnceLock::new).take(cells).collect(),
        }
    }

    /// The cell at `index`, whose label values are `values`; none only if the grid has no such index.
    pub(super) fn cell<const LABELS: usize>(&self, index: usize, values: [&str; LABELS]) -> Option<&M> {
        self.cells.get(index)?.get_or_init(|| (self.make)(&values)).as_ref()
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
