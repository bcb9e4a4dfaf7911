//! Opens the sessions of one model, and finds its batch size.

use std::sync::Arc;
use std::time::Duration;

use super::LoadError;
use crate::onnx::{Model, OnnxSession};
use crate::scheduler::{Measured, best_time, measure_batch_size};

/// What bounds a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchLimits {
    /// The operator's batch size; without one it is measured,
    pub(super) set: Option<usize>,
    /// up to this,
    pub(super) largest: usize,
    /// for runs of at most this.
    pub(super) max_time: Duration,
}

impl BatchLimits {
    /// One row at a time, whatever the operator asks for: a model that may mix rows is a function of one row then.
    fn one_row(self) -> Self {
        Self {
            set: Some(1),
            largest: 1,
            ..self
        }
    }
}

/// Opens `count` sessions and runs each once, so that the first request finds them warm.
pub(super) fn open(
    model: &Arc<Model>,
    count: usize,
    limits: BatchLimits,
) -> Result<(Vec<OnnxSession>, Measured), LoadError> {
    let name = &model.manifest.name;
    let limits = match &model.one_row_reason {
        None => limits,
        Some(reason) => {
            tracing::warn!(
                model = name,
                reason,
                "the model is not proven to work row by row: it runs one row at a time"
            );
            limits.one_row()
        }
    };
    tracing::info!(
        model = name,
        sessions = count,
        provider = model.provider.name,
        "loading"
    );
    let mut first = model.open(limits.set.unwrap_or(1))?;
    model.warm(std::slice::from_mut(&mut first))?;
    let row = model.middle();
    let measured = match limits.set {
        Some(rows) => Measured {
            rows,
            time: best_time(&mut first, rows, &row)?,
        },
        None => measure_batch_size(
            &mut first,
            OnnxSession::set_max_batch_size,
            &row,
            limits.largest,
            limits.max_time,
        )?,
    };
    let mut sessions = vec![first];
    for _ in 1..count {
        sessions.push(model.open(measured.rows)?);
    }
    // The first one too: what it is later held against must be of the batch shape that it serves.
    model.warm(&mut sessions)?;
    tracing::info!(model = name, batch_size = measured.rows, row_time = ?measured.row_time(), "measured");
    Ok((sessions, measured))
}
