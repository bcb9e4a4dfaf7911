//! Computes the outputs of a batch of inputs in this process.

use super::output_source::{InputOutputs, OutputSource};
use crate::certificate::noise::NoiseSecret;
use crate::classifier::{OutputError, OutputWorker};
use crate::domain::{Input, ModelOutputs, RobustOutput, Role};
use crate::evaluation::dataset::LabelledInput;
use crate::evaluation::record::SamplingConditions;

/// The votes that one batch of inputs draws, at least. The threads meet rarely then, and still finish
/// the last batches at about the same time.
const BATCH_VOTES: u64 = 128;
/// The most inputs of a batch of votes.
const MAX_BATCH_INPUTS: usize = 64;
/// The fewest inputs of a batch of rows.
const MIN_BATCH_INPUTS: usize = 8;

impl OutputSource for OutputWorker {
    fn batch_inputs(&self, sampling: Option<&SamplingConditions>) -> usize {
        match sampling {
            // Whole batches of both models.
            None => Role::ALL
                .iter()
                .map(|&role| self.batch_size(role))
                .fold(MIN_BATCH_INPUTS, usize::max),
            Some(sampling) => sampling.inputs_for(BATCH_VOTES).clamp(1, MAX_BATCH_INPUTS),
        }
    }

    fn outputs(
        &mut self,
        sampling: Option<&SamplingConditions>,
        inputs: &[&LabelledInput],
    ) -> Result<Vec<Result<InputOutputs, String>>, String> {
        outputs(self, sampling, inputs).map_err(|error| error.to_string())
    }
}

type Row = Result<Vec<f32>, OutputError>;

fn outputs(
    worker: &mut OutputWorker,
    sampling: Option<&SamplingConditions>,
    labelled: &[&LabelledInput],
) -> Result<Vec<Result<InputOutputs, String>>, OutputError> {
    let inputs: Vec<&Input> = labelled.iter().map(|labelled| &labelled.input).collect();
    #[expect(clippy::cast_precision_loss, reason = "a batch has few inputs")]
    let count = inputs.len().max(1) as f64;
    let (standard, time) = worker.run_rows(Role::Standard, &inputs)?;
    let mut seconds = time.as_secs_f64() / count;
    let robust = match sampling {
        Some(_) => Vec::new(),
        None => {
            let (robust, time) = worker.run_rows(Role::Robust, &inputs)?;
            seconds += time.as_secs_f64() / count;
            robust
        }
    };
    let (mut standard, mut robust) = (standard.into_iter(), robust.into_iter());
    let mut results = Vec::with_capacity(labelled.len());
    for labelled in labelled {
        let rows = (standard.next(), robust.next());
        results.push(match one_input(worker, sampling, labelled, rows, seconds) {
            Ok(outputs) => Ok(outputs),
            Err(broken @ OutputError::Session { .. }) => return Err(broken),
            Err(OutputError::Input(reason)) => Err(reason),
        });
    }
    Ok(results)
}

/// The outputs of one input. Its votes, if the model is smoothed, are drawn here.
fn one_input(
    worker: &mut OutputWorker,
    sampling: Option<&SamplingConditions>,
    labelled: &LabelledInput,
    (standard, robust): (Option<Row>, Option<Row>),
    seconds: f64,
) -> Result<InputOutputs, OutputError> {
    let row = |row: Option<Row>| row.unwrap_or_else(|| Err(OutputError::Input("the model returned no row".to_owned())));
    let standard = row(standard)?;
    let Some(sampling) = sampling else {
        let robust = RobustOutput::Row(row(robust)?);
        return Ok(InputOutputs {
            outputs: ModelOutputs { standard, robust },
            snapping_loss: 0.0,
            noise_key: None,
            seconds,
        });
    };
    let Some(secret) = sampling.noise_secret else {
        return Err(OutputError::Input("the run has no secret for its noise".to_owned()));
    };
    let key = NoiseSecret::new(secret).derive(labelled.index);
    let (drawn, time) = worker.draw_votes(&labelled.input, &key, sampling.votes())?;
    Ok(InputOutputs {
        outputs: ModelOutputs {
            standard,
            robust: RobustOutput::Votes(drawn.votes),
        },
        snapping_loss: drawn.snapping_loss,
        noise_key: None,
        seconds: seconds + time.as_secs_f64(),
    })
}
