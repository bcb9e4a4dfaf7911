//! Predictions from one row of each model for each input.

use std::sync::Arc;
use std::time::Instant;

use super::error::ClassifierError;
use super::inference_context::{InferenceContext, outputs_by};
use super::input_rows::InputRows;
use super::prediction::lipschitz;
use super::request_predictions::RequestPredictions;
use crate::certificate::Temperature;
use crate::domain::{Input, ModelOutputs, PerRole, RequestStage, RequestTimings, RobustOutput};
use crate::scheduler::Reservation;

/// Predicts `inputs` from one row of each model for each input. All rows are one job, so both
/// models run at the same time. With `model_outputs`, each prediction holds its two rows.
pub(super) async fn predict_from_rows(
    context: &InferenceContext,
    inputs: Arc<[Input]>,
    reservation: &Reservation,
    model_outputs: bool,
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
        .map(|(standard_row, robust_row)| {
            let standard = lipschitz::log_probs(engine.standard.output_kind, standard_row, Temperature::ONE);
            let robust = lipschitz::certify(
                &engine.robust.guarantee,
                engine.robust.output_kind,
                robust_row,
                &engine.spec,
                &context.mixture,
            )?;
            let mut prediction = context.mix(standard, robust);
            prediction.model_outputs = model_outputs.then(|| ModelOutputs {
                standard: standard_row.to_vec(),
                robust: RobustOutput::Row(robust_row.to_vec()),
            });
            Ok(prediction)
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
