//! Generates the noisy rows of a smoothed model: integer levels plus exact discrete noise.

use std::sync::Arc;

use super::noise_key_generator::NoiseKeyGenerator;
use super::snapping::{SnappedInput, snapping_loss};
use crate::certificate::noise::{InputGrid, NoiseError, NoiseKey, NoiseTable, fill_noisy_row};
use crate::certificate::{CertificateError, Sigma};
use crate::domain::{Input, InputSpec, ValueEncoding};
use crate::scheduler::RowSource;

/// The noise source of one smoothed model.
pub(in crate::classifier) struct Smoother {
    pub(in crate::classifier) sigma: Sigma,
    /// The total-variation distance between one noisy input and an exact one.
    pub(in crate::classifier) total_variation: f64,
    noise: Arc<GridNoise>,
    keys: Arc<NoiseKeyGenerator>,
}

/// The grid of the inputs, and the table of the noise on it.
struct GridNoise {
    grid: InputGrid,
    table: NoiseTable,
}

/// The reason why a guarantee has no usable noise.
#[derive(Debug, thiserror::Error)]
pub(in crate::classifier) enum SmootherError {
    #[error(transparent)]
    Noise(#[from] NoiseError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl Smoother {
    pub(in crate::classifier) fn new(
        spec: &InputSpec,
        sigma: f64,
        levels: u32,
        keys: Arc<NoiseKeyGenerator>,
    ) -> Result<Self, SmootherError> {
        let grid = InputGrid::new(spec.low, spec.high, levels)?;
        let table = NoiseTable::new(grid.scale(sigma))?;
        let total_variation = table.total_variation_for(spec.dimension());
        let noise = Arc::new(GridNoise { grid, table });
        Ok(Self {
            sigma: Sigma::new(sigma)?,
            total_variation,
            noise,
            keys,
        })
    }

    /// Returns a key that was never used before and that a caller cannot predict.
    pub(in crate::classifier) fn next_key(&self) -> NoiseKey {
        self.keys.next_key()
    }

    /// The distance between neighbouring values of the grid, in the units of the float input.
    pub(in crate::classifier) fn grid_step(&self) -> f64 {
        self.noise.grid.step()
    }

    /// The snapping loss of an input on the grid, which is the smallest of its encoding.
    pub(in crate::classifier) fn smallest_snapping_loss(&self, dimension: usize, encoding: ValueEncoding) -> f64 {
        snapping_loss(&self.noise.grid, dimension, encoding, true)
    }

    /// Moves `input` to the grid.
    pub(in crate::classifier) fn snap(&self, input: &Input) -> Result<SnappedInput, NoiseError> {
        SnappedInput::new(&self.noise.grid, input)
    }

    /// Returns the rows of the votes from index `first_vote` on.
    pub(in crate::classifier) fn noisy_rows(&self, input: &SnappedInput, key: &NoiseKey, first_vote: u64) -> NoisyRows {
        NoisyRows {
            noise: Arc::clone(&self.noise),
            levels: Arc::clone(&input.levels),
            key: key.clone(),
            first_vote,
        }
    }
}

/// Rows of noisy inputs. The executor's thread generates them.
pub(in crate::classifier) struct NoisyRows {
    noise: Arc<GridNoise>,
    levels: Arc<[i32]>,
    key: NoiseKey,
    first_vote: u64,
}

impl RowSource for NoisyRows {
    fn fill(&self, row: usize, out: &mut [f32]) -> Result<(), String> {
        let vote = self.first_vote + u64::try_from(row).map_err(|error| error.to_string())?;
        let GridNoise { grid, table } = &*self.noise;
        fill_noisy_row(table, grid, &self.key, vote, &self.levels, out).map_err(|error| error.to_string())
    }
}
