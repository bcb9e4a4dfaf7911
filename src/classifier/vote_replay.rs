//! Draws the votes of a served certificate again, from its noise key.

use std::path::Path;
use std::sync::Arc;

use super::models::ModelError;
use super::smoothing::NoiseKeyGenerator;
use super::smoothing::smoother::Smoother;
use super::smoothing::vote_counts::{VoteCounts, vote};
use crate::certificate::Tally;
use crate::certificate::noise::{NoiseKey, NoiseSecret};
use crate::domain::{Input, ModelGuarantee};
use crate::onnx::{Backend as _, Cancellation, Manifest, Model, OnnxSession, Runtime};
use crate::scheduler::RowSource as _;
use crate::settings::RuntimeSettings;

/// The robust model of a certificate, loaded to draw its votes again.
pub struct VoteReplayer {
    model: Arc<Model>,
    smoother: Smoother,
    session: OnnxSession,
}

impl VoteReplayer {
    /// Loads the robust model of `manifest` as the server does, with one session. The batch shape
    /// of the session is `batch_size`, which the certificate records.
    ///
    /// # Errors
    /// Returns the errors of [`Engine::load`](super::Engine::load), and an error if the model is
    /// not smoothed.
    pub fn load(manifest: &Path, settings: &RuntimeSettings, batch_size: usize) -> Result<Self, ModelError> {
        let runtime = Runtime::load(&settings.library)?;
        let model = Arc::new(Model::load(&runtime, manifest, settings.provider)?);
        let ModelGuarantee::GaussianSmoothing { sigma, levels } = model.manifest.guarantee else {
            return Err(ModelError::Smoothing(
                "expected a smoothed model: no other model draws votes that can be replayed".to_owned(),
            ));
        };
        // The replay uses the key of the certificate, so this secret derives no key.
        let keys = Arc::new(NoiseKeyGenerator::new(NoiseSecret::new([0; 32])));
        let smoother = Smoother::new(&model.manifest.input, sigma, levels, keys)
            .map_err(|error| ModelError::Smoothing(error.to_string()))?;
        Ok(Self {
            session: OnnxSession::open(&model, batch_size.max(1))?,
            model,
            smoother,
        })
    }

    /// The manifest of the robust model.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.model.manifest
    }

    /// Returns the deductions of a certificate for `input`: the snapping loss, which reduces the
    /// radius, and the total-variation distance of the noise, which loosens the bounds.
    ///
    /// # Errors
    /// Returns a message if a value is outside the grid.
    pub fn deductions(&self, input: &Input) -> Result<(f64, f64), String> {
        let snapped = self.smoother.snap(input).map_err(|error| error.to_string())?;
        Ok((snapped.loss, self.smoother.total_variation))
    }

    /// Draws `selection_votes` and then `votes` estimation votes on `input` with the noise of
    /// `key`. Calls `progress` with the number of votes drawn so far.
    ///
    /// Returns the class that the selection votes chose, and the tally of the estimation votes for
    /// it.
    ///
    /// # Errors
    /// Returns a message if the input does not fit the model or the model fails.
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
                "expected an input of {input_len} values, got {}",
                input.dimension()
            ));
        }
        let snapped = self.smoother.snap(input).map_err(|error| error.to_string())?;
        let key = NoiseKey::from_bytes(key);
        let mut counts = VoteCounts::new(self.model.manifest.classes(), selection_votes);
        let total = selection_votes.checked_add(votes).ok_or("too many votes")?;
        let (mut rows, mut output) = (Vec::new(), Vec::new());
        while counts.drawn() < total {
            let remaining = usize::try_from(total - counts.drawn()).unwrap_or(usize::MAX);
            let batch = self.session.max_batch_size().min(remaining);
            let noisy_rows = self.smoother.noisy_rows(&snapped, &key, counts.drawn());
            rows.resize(batch * input_len, 0.0);
            for (row, values) in rows.chunks_exact_mut(input_len).enumerate() {
                noisy_rows.fill(row, values)?;
            }
            self.session
                .run(batch, &rows, &mut output, &Cancellation::new(1))
                .map_err(|error| error.to_string())?;
            output
                .chunks_exact(self.model.manifest.classes())
                .for_each(|logits| counts.add(vote(logits)));
            progress(counts.drawn());
        }
        let class = counts.selected_class().ok_or("no selection votes were drawn")?;
        Ok((class, counts.estimation_tally(class)))
    }
}
