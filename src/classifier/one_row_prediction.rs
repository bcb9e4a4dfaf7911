//! Predictions from one row of each model for each input.

use std::sync::Arc;
use std::time::Instant;

use super::error::ClassifierError;
use super::inference_context::{InferenceContext, outputs_by};
use super::input_rows::InputRows;
use super::prediction::lipschitz;
use super::request_predictions::RequestPredictions;
use crate::certificate::Temperature;
use crate::domain::{Input, PerRole, RequestStage, RequestTimings};
use crate::scheduler::Reservation;

/// Predicts `inputs` from one row of each model for each input. All rows are one job, so both
/// models run at the same time.
pub(super) async fn predict_from_rows(
    context: &InferenceContext,
    inputs: Arc<[Input]>,
    reservation: &Reservation,
) -> Result<RequestPredictions, ClassifierError> {
    let engine = &context.engine;
    let rows = PerRole {
        standard: inputs.len(),
        robust: inputs.len(),
    };
    let job = reservation.submit_coalesced(Box::new(InputRows(inputs)), rows);
    let outputs = outputs_by(reservation.deadline(), job).await?;
    let mixing_start = Instant::now();
    let classes = engine.labels.len();
    let row_pairs = (outputs.rows.standard)
        .chunks_exact(classes)
        .zip(outputs.rows.robust.chunks_exact(classes));
    let predictions = row_pairs
        .map(|(standard, robust)| {
            let standard = lipschitz::log_probs(engine.standard.output_kind, standard, Temperature::ONE);
            let robust = lipschitz::certify(
                &engine.robust.guarantee,
                engine.robust.output_kind,
                robust,
                &engine.spec,
                &context.mixture,
            )?;
            Ok(context.mix(standard, robust))
        })
        .collect::<Result<Vec<_>, ClassifierError>>()?;
    let mixing = Some(RequestStage::between(mixing_start, Instant::now()));
    if let Some(recorder) = &context.recorder {
        recorder.record_rows(outputs.rows, &predictions);
    }
    Ok(RequestPredictions {
        predictions,
        timings: RequestTimings {
            models: outputs.windows,
            mixing,
        },
        rows: PerRole::of(|role| u64::try_from(rows[role]).unwrap_or(u64::MAX)),
        votes: 0,
    })
}
