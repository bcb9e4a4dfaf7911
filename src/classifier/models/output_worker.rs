//! Computes the outputs of both models for many inputs, without requests and without a queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine_loading::self_test_caveat;
use super::loaded_models::{LoadChecks, LoadedModels};
use super::model_summary::ModelSummary;
use super::served_model::RobustInference;
use crate::certificate::noise::{NoiseKey, NoiseSecret};
use crate::classifier::smoothing::NoiseKeyGenerator;
use crate::classifier::smoothing::smoother::Smoother;
use crate::classifier::smoothing::snapping::SnappedInput;
use crate::classifier::smoothing::vote_counts::vote;
use crate::domain::{ComputeEnvironment, Input, InputSpec, PerRole, Role, Violations};
use crate::onnx::{Backend as _, Cancellation, OnnxSession, cpu_description};
use crate::scheduler::RowSource as _;
use crate::settings::Settings;

/// What the outputs of a pair of models depend on, and what they prove.
#[derive(Debug, Clone)]
pub struct OutputConditions {
    /// The description of both models.
    pub models: PerRole<ModelSummary>,
    /// The name of each class.
    pub labels: Vec<String>,
    /// The input of both models.
    pub spec: InputSpec,
    /// The caveat from the self-test; empty if both models passed it.
    pub caveat: String,
    /// The total-variation distance of the noise of one input; `None` without votes.
    pub total_variation: Option<f64>,
    /// The batch sizes, ONNX Runtime and the processor.
    pub environment: ComputeEnvironment,
}

/// One session of each model. One thread owns it, and many run at the same time.
pub struct OutputWorker {
    sessions: PerRole<OnnxSession>,
    smoother: Option<Arc<Smoother>>,
    rows: Vec<f32>,
    output: Vec<f32>,
}

/// The row of one input, or the reason why it has none.
pub type RowResult = Result<Vec<f32>, OutputError>;

/// The votes for one input.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnVotes {
    /// The class of each vote in the order of its counter; `None` for a vote for no class.
    pub votes: Vec<Option<u32>>,
    /// The deduction from the radius because the input moves to the grid.
    pub snapping_loss: f64,
}

/// The reason why an input has no outputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// The model fails on this input, and works on others.
    #[error("{0}")]
    Input(String),
    /// The session is broken and cannot be reopened.
    #[error("the {} model is broken: {reason}", role.name())]
    Session {
        /// The role of the model.
        role: Role,
        /// The message of the runtime.
        reason: String,
    },
}

impl OutputWorker {
    /// Loads, tests and warms both models as a server does, with one worker for each executor of the
    /// settings.
    ///
    /// # Errors
    /// Returns every violation with its key.
    pub fn load(settings: &Settings) -> Result<(OutputConditions, Vec<Self>), Violations> {
        // Every vote has the key that its caller gives, so this secret derives no key.
        let keys = Arc::new(NoiseKeyGenerator::new(NoiseSecret::new([0; 32])));
        let loaded = LoadedModels::load(settings, keys, LoadChecks::UntilRefused)?;
        let smoother: Option<Arc<Smoother>> = match loaded.robust_inference {
            RobustInference::OneRow => None,
            RobustInference::Votes(smoother) => Some(Arc::from(smoother)),
        };
        let robust = &loaded.models.robust.manifest;
        let conditions = OutputConditions {
            models: loaded.summaries,
            labels: robust.labels.clone(),
            spec: robust.input.clone(),
            caveat: self_test_caveat(&loaded.opened),
            total_variation: smoother.as_ref().map(|smoother| smoother.total_variation),
            environment: ComputeEnvironment {
                standard_batch_size: loaded.opened.standard.batch.rows,
                robust_batch_size: loaded.opened.robust.batch.rows,
                runtime_version: loaded.runtime.version(),
                processor: cpu_description().to_owned(),
            },
        };
        let sessions = loaded.opened.standard.sessions.into_iter();
        let workers = sessions
            .zip(loaded.opened.robust.sessions)
            .map(|(standard, robust)| Self {
                sessions: PerRole { standard, robust },
                smoother: smoother.clone(),
                rows: Vec::new(),
                output: Vec::new(),
            })
            .collect();
        Ok((conditions, workers))
    }

    /// The most inputs that one run of a model takes.
    #[must_use]
    pub fn batch_size(&self, role: Role) -> usize {
        self.sessions[role].max_batch_size().max(1)
    }

    /// Runs the model of `role` once on each of `inputs`. Returns the row of each, and the time.
    ///
    /// # Errors
    /// [`OutputError::Session`] if the model works on no input any more. The result of one input holds
    /// the other errors.
    pub fn run_rows(&mut self, role: Role, inputs: &[&Input]) -> Result<(Vec<RowResult>, Duration), OutputError> {
        let started = Instant::now();
        let mut results = Vec::with_capacity(inputs.len());
        for batch in inputs.chunks(self.batch_size(role)) {
            match self.run_batch(role, batch) {
                Ok(rows) => results.extend(rows.into_iter().map(Ok)),
                // One input may fail the batch of all others.
                Err(_) => {
                    for input in batch {
                        let rows = self.run_batch(role, &[*input]);
                        results.push(match rows {
                            Ok(rows) => rows.into_iter().next().ok_or_else(|| no_row(role)),
                            Err(reason) => Err(self.after_failure(role, reason)?),
                        });
                    }
                }
            }
        }
        Ok((results, started.elapsed()))
    }

    /// Draws `count` votes on `input` with the noise of `key`. Returns them with the time.
    ///
    /// # Errors
    /// If the model is not smoothed, the input is outside the grid, or the model fails.
    pub fn draw_votes(
        &mut self,
        input: &Input,
        key: &NoiseKey,
        count: u64,
    ) -> Result<(DrawnVotes, Duration), OutputError> {
        let started = Instant::now();
        let Some(smoother) = self.smoother.clone() else {
            return Err(OutputError::Input("the robust model is not smoothed".to_owned()));
        };
        let snapped = smoother
            .snap(input)
            .map_err(|error| OutputError::Input(error.to_string()))?;
        let mut votes = Vec::new();
        while (votes.len() as u64) < count {
            let missing = usize::try_from(count - votes.len() as u64).unwrap_or(usize::MAX);
            let batch = self.batch_size(Role::Robust).min(missing);
            if let Err(reason) = self.add_votes(&smoother, &snapped, key, batch, &mut votes) {
                return Err(self.after_failure(Role::Robust, reason)?);
            }
        }
        let drawn = DrawnVotes {
            votes,
            snapping_loss: snapped.loss,
        };
        Ok((drawn, started.elapsed()))
    }

    /// Draws the next `batch` votes in one run.
    fn add_votes(
        &mut self,
        smoother: &Smoother,
        input: &SnappedInput,
        key: &NoiseKey,
        batch: usize,
        votes: &mut Vec<Option<u32>>,
    ) -> Result<(), String> {
        let session = &mut self.sessions.robust;
        let input_len = session.input_len();
        let noisy_rows = smoother.noisy_rows(input, key, votes.len() as u64);
        self.rows.resize(batch * input_len, 0.0);
        for (row, values) in self.rows.chunks_exact_mut(input_len).enumerate() {
            noisy_rows.fill(row, values)?;
        }
        session
            .run(batch, &self.rows, &mut self.output, &Cancellation::new(1))
            .map_err(|error| error.to_string())?;
        let rows = self.output.chunks_exact(session.output_len());
        votes.extend(rows.map(|row| vote(row).and_then(|class| u32::try_from(class).ok())));
        Ok(())
    }

    fn run_batch(&mut self, role: Role, inputs: &[&Input]) -> Result<Vec<Vec<f32>>, String> {
        let session = &mut self.sessions[role];
        let input_len = session.input_len();
        self.rows.resize(inputs.len() * input_len, 0.0);
        for (input, values) in inputs.iter().zip(self.rows.chunks_exact_mut(input_len)) {
            input.write(values)?;
        }
        session
            .run(inputs.len(), &self.rows, &mut self.output, &Cancellation::new(1))
            .map_err(|error| error.to_string())?;
        let rows = self.output.chunks_exact(session.output_len());
        Ok(rows.map(<[f32]>::to_vec).collect())
    }

    /// Finds out whether the input or the session caused a failure. A broken session is reopened.
    fn after_failure(&mut self, role: Role, reason: String) -> Result<OutputError, OutputError> {
        let session = &mut self.sessions[role];
        if session.probe().is_err() {
            let reopened = session.reopen();
            *session = reopened.map_err(|error| OutputError::Session {
                role,
                reason: error.to_string(),
            })?;
        }
        Ok(OutputError::Input(reason))
    }
}

fn no_row(role: Role) -> OutputError {
    OutputError::Input(format!("the {} model returned no row", role.name()))
}
