//! Draws the votes of a served certificate again, from its key.

use std::path::Path;
use std::sync::Arc;

use super::models::LoadError;
use super::smoothing::NoiseKeyGenerator;
use super::smoothing::smoother::Smoother;
use super::smoothing::vote_counts::{VoteCounts, vote};
use crate::certificate::Tally;
use crate::certificate::noise::{NoiseKey, NoiseSecret};
use crate::domain::{Guarantee, Input};
use crate::onnx::{Backend as _, Halt, Manifest, Model, OnnxSession, Runtime};
use crate::scheduler::RowSource as _;
use crate::settings::RuntimeSettings;

/// The robust model of a certificate, ready to vote again.
pub struct VoteReplayer {
    model: Arc<Model>,
    smoother: Smoother,
    session: OnnxSession,
}

impl VoteReplayer {
    /// Loads the robust model of `manifest` as the server would, with one session whose batch shape is `batch_size`: the one
    /// that the certificate names.
    ///
    /// # Errors
    /// As [`Engine::load`](super::Engine::load); also if the model is not a smoothed one.
    pub fn load(manifest: &Path, settings: &RuntimeSettings, batch_size: usize) -> Result<Self, LoadError> {
        let runtime = Runtime::load(&settings.library)?;
        let model = Arc::new(Model::load(&runtime, manifest, settings.provider)?);
        let Guarantee::GaussianSmoothing { sigma, levels } = model.manifest.guarantee else {
            return Err(LoadError::Smoothing(
                "only a smoothed model draws votes that can be replayed".to_owned(),
            ));
        };
        // The secret makes fresh keys; a replay brings its own.
        let keys = Arc::new(NoiseKeyGenerator::new(NoiseSecret::new([0; 32])));
        let smoother = Smoother::new(&model.manifest.input, sigma, levels, keys)
            .map_err(|error| LoadError::Smoothing(error.to_string()))?;
        Ok(Self {
            session: model.open(batch_size.max(1))?,
            model,
            smoother,
        })
    }

    /// The manifest of the model that votes.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.model.manifest
    }

    /// What a certificate about `input` must take off: the snapping from its radius, and the total-variation distance of the
    /// noise from its bounds.
    ///
    /// # Errors
    /// In words, if a value has no place on the grid.
    pub fn deductions(&self, input: &Input) -> Result<(f64, f64), String> {
        let snapped = self.smoother.snap(input).map_err(|error| error.to_string())?;
        Ok((snapped.loss, self.smoother.total_variation))
    }

    /// Draws `selection_votes` and then `votes` on `input` with the noise of `key`; `progress` is told how many are done.
    ///
    /// Returns the class that the selection votes chose, and the estimation votes seen from it.
    ///
    /// # Errors
    /// In words, if the input does not fit the model or the model fails.
    pub fn count(
        &mut self,
        input: &Input,
        key: [u8; 32],
        selection_votes: u64,
        votes: u64,
        mut progress: impl FnMut(u64),
    ) -> Result<(usize, Tally), String> {
        let input_len = self.session.input_len();
        if input.dimension() != input_len {
            return Err(format!(
                "the input has {} values, the model takes {input_len}",
                input.dimension()
            ));
        }
        let snapped = self.smoother.snap(input).map_err(|error| error.to_string())?;
        let key = NoiseKey::from_bytes(key);
        let mut vote_counts = VoteCounts::new(self.model.manifest.classes(), selection_votes);
        let total = selection_votes.checked_add(votes).ok_or("too many votes")?;
        let (mut rows, mut output) = (Vec::new(), Vec::new());
        while vote_counts.drawn() < total {
            let left = usize::try_from(total - vote_counts.drawn()).unwrap_or(usize::MAX);
            let batch = self.session.max_batch_size().min(left);
            let source = self.smoother.rows(&snapped, &key, vote_counts.drawn());
            rows.resize(batch * input_len, 0.0);
            for (row, values) in rows.chunks_exact_mut(input_len).enumerate() {
                source.fill(row, values)?;
            }
            self.session
                .run(batch, &rows, &mut output, &Halt::new(1))
                .map_err(|error| error.to_string())?;
            output
                .chunks_exact(self.model.manifest.classes())
                .for_each(|logits| vote_counts.cast(vote(logits)));
            progress(vote_counts.drawn());
        }
        let class = vote_counts.class().ok_or("there are no selection votes")?;
        Ok((class, vote_counts.tally(class)))
    }
}
