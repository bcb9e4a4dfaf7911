//! Opens the sessions of one model, finds its batch size, and tests whether the model computes a
//! function of each row.

use std::sync::Arc;
use std::time::Duration;

use super::model_error::ModelError;
use super::serving_mode::{ServingMode, VerdictPolicy};
use crate::onnx::{Backend as _, Model, OnnxSession, OutputTolerance, SelfTestReport, self_test, warm_up};
use crate::scheduler::{MeasuredBatch, best_time, measure_batch_size};

/// The limits of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchSizeLimits {
    /// The batch size from the settings. Without it the batch size is measured.
    pub(super) configured: Option<usize>,
    /// The largest batch size to measure.
    pub(super) max_rows: usize,
    /// The longest run to accept when measuring.
    pub(super) max_time: Duration,
}

impl BatchSizeLimits {
    /// The limits for a model whose file fixes the rows of a run. A run of fewer rows costs the same, so
    /// no smaller size is measured.
    fn for_batch_axis(self, fixed: Option<usize>) -> Self {
        let configured = match fixed {
            Some(rows) => Some(self.configured.unwrap_or(self.max_rows.max(1)).min(rows)),
            None => self.configured,
        };
        Self { configured, ..self }
    }
}

/// The open sessions of one model.
pub(super) struct ModelSessions {
    pub(super) sessions: Vec<OnnxSession>,
    pub(super) batch: MeasuredBatch,
    /// The reason why the model runs one row at a time; `None` if it does not have to.
    pub(super) one_row_reason: Option<String>,
    /// The reason why the model is not a function, if the settings allow such a model; `None` if it
    /// is one.
    pub(super) inexact_reason: Option<String>,
}

/// Opens `count` sessions, runs each so that the first request finds them warm, and tests them on
/// `test_rows`. A model whose output for a row depends on its batch is opened again with batches of
/// one row.
pub(super) fn open_sessions(
    model: &Arc<Model>,
    count: usize,
    limits: BatchSizeLimits,
    test_rows: &[f32],
    policy: VerdictPolicy,
) -> Result<ModelSessions, ModelError> {
    let name = model.manifest.name.as_str();
    let limits = limits.for_batch_axis(model.fixed_batch_size);
    // A graph that does not prove row independence runs one row at a time, even if the self-test
    // would pass.
    let (mut limits, mut one_row_reason) = (limits, model.one_row_reason.clone());
    if let Some(reason) = &one_row_reason {
        policy.check_batch_dependence(name, reason)?;
    }
    // The loop runs at most twice: with batches of one row, no output depends on the batch.
    loop {
        if let Some(reason) = &one_row_reason {
            tracing::warn!(
                model = name,
                reason,
                "model runs one row at a time, with lower throughput: its output for a row may depend on the batch"
            );
            limits.configured = Some(1);
        }
        let (mut sessions, batch) = open_untested(model, count, limits)?;
        let report = self_test(&mut sessions, test_rows)?;
        check_row_flaws(model, &report)?;
        let inexact_reason = match policy.serving_mode(name, model.provider.is_cuda(), report.outcome, batch.rows)? {
            ServingMode::Exact => None,
            ServingMode::Inexact(reason) => Some(reason),
            ServingMode::OneRow(reason) => {
                one_row_reason = Some(reason);
                continue;
            }
        };
        if let Some(reason) = &inexact_reason {
            tracing::warn!(
                model = name,
                reason,
                "self-test failed: certificates carry a caveat because certificate.allow_inexact_runtime is set"
            );
        }
        // A model that counts votes must return the same bits in every later probe and session.
        let is_bit_exact = sessions
            .first()
            .is_some_and(|first| first.output_tolerance() == OutputTolerance::BitExact);
        if is_bit_exact && inexact_reason.is_none() {
            sessions
                .iter_mut()
                .try_for_each(|session| session.set_probe_reference(test_rows))?;
        }
        return Ok(ModelSessions {
            sessions,
            batch,
            one_row_reason,
            inexact_reason,
        });
    }
}

/// Rejects a model if all its outputs are unusable, and logs a warning if some are.
fn check_row_flaws(model: &Model, report: &SelfTestReport) -> Result<(), ModelError> {
    let (name, rows, flaws) = (&model.manifest.name, report.rows, report.flaws);
    if flaws.not_finite >= rows && rows > 0 {
        return Err(ModelError::NotFinite {
            model: name.clone(),
            rows,
        });
    }
    if flaws.not_probabilities > 0 {
        return Err(ModelError::NotProbabilities {
            model: name.clone(),
            bad: flaws.not_probabilities,
            rows,
        });
    }
    if flaws.not_finite > 0 {
        tracing::warn!(
            model = name,
            not_finite = flaws.not_finite,
            rows,
            "the self-test found rows with NaN or infinity: such rows certify nothing and vote for no class"
        );
    }
    Ok(())
}

/// Opens `count` sessions and runs each once.
fn open_untested(
    model: &Arc<Model>,
    count: usize,
    limits: BatchSizeLimits,
) -> Result<(Vec<OnnxSession>, MeasuredBatch), ModelError> {
    let name = &model.manifest.name;
    tracing::info!(
        model = name,
        sessions = count,
        provider = model.provider.name,
        "loading model"
    );
    let mut first = OnnxSession::open(model, limits.configured.unwrap_or(1))?;
    warm_up(model, std::slice::from_mut(&mut first))?;
    let row = model.midpoint_input();
    let measured = match limits.configured {
        Some(rows) => MeasuredBatch {
            rows,
            time: best_time(&mut first, rows, &row)?,
        },
        None => measure_batch_size(
            &mut first,
            OnnxSession::set_max_batch_size,
            &row,
            limits.max_rows,
            limits.max_time,
        )?,
    };
    let mut sessions = vec![first];
    for _ in 1..count {
        sessions.push(OnnxSession::open(model, measured.rows)?);
    }
    // The first session warms up again: later checks compare against the batch shape that it serves.
    warm_up(model, &mut sessions)?;
    tracing::info!(
        model = name,
        batch_size = measured.rows,
        row_time = ?measured.row_time(),
        "batch size measured"
    );
    Ok((sessions, measured))
}
