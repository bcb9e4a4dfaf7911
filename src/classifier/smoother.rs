//! Where the rows of a smoothed model come from: integer levels plus exact noise.

use std::sync::Arc;

use super::noise_keys::NoiseKeys;
use crate::certificate::noise::{Grid, NoiseError, NoiseKey, NoiseTable, fill_noisy_row};
use crate::certificate::{CertificateError, Sigma};
use crate::domain::{Input, InputSpec};
use crate::scheduler::RowSource;

/// The noise of one smoothed model.
pub(super) struct Smoother {
    pub(super) sigma: Sigma,
    /// Total-variation distance of one noisy input from the exact one.
    pub(super) total_variation: f64,
    noise: Arc<Noise>,
    keys: Arc<NoiseKeys>,
}

struct Noise {
    grid: Grid,
    table: NoiseTable,
}

/// An input on the grid.
#[derive(Clone)]
pub(super) struct Snapped {
    levels: Arc<[i32]>,
    /// To be taken off the radius; 0 if the input lay on the grid.
    pub(super) loss: f64,
}

/// Why a guarantee cannot be turned into noise.
#[derive(Debug, thiserror::Error)]
pub(super) enum SmootherError {
    #[error(transparent)]
    Noise(#[from] NoiseError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl Smoother {
    pub(super) fn new(spec: &InputSpec, sigma: f64, levels: u32, keys: Arc<NoiseKeys>) -> Result<Self, SmootherError> {
        let grid = Grid::new(spec.low, spec.high, levels)?;
        let table = NoiseTable::new(grid.scale(sigma))?;
        let total_variation = table.total_variation_for(spec.dimension());
        let noise = Arc::new(Noise { grid, table });
        Ok(Self {
            sigma: Sigma::new(sigma)?,
            total_variation,
            noise,
            keys,
        })
    }

    /// A key that was never used before and cannot be foreseen.
    pub(super) fn fresh_key(&self) -> NoiseKey {
        self.keys.fresh()
    }

    /// The distance between neighbouring values of the grid.
    pub(super) fn grid_step(&self) -> f64 {
        self.noise.grid.step()
    }

    /// Moves an input to the grid. Off the grid, both it and a perturbed input may have moved by half a step per
    /// coordinate: `sqrt(d) * step` in l2, rounded up.
    pub(super) fn snap(&self, input: &Input) -> Result<Snapped, NoiseError> {
        let grid = &self.noise.grid;
        let mut on_grid = true;
        let levels = input
            .values()
            .into_iter()
            .map(|value| {
                let (level, exact) = grid.snap(value)?;
                on_grid &= exact;
                Ok(level)
            })
            .collect::<Result<_, NoiseError>>()?;
        #[expect(clippy::cast_precision_loss, reason = "dimensions stay far below 2^53")]
        let loss = if on_grid {
            0.0
        } else {
            2.0 * (input.dimension() as f64).sqrt().next_up() * grid.snap_distance()
        };
        Ok(Snapped {
            levels,
            loss: if on_grid { 0.0 } else { loss.next_up() },
        })
    }

    /// The rows of the votes from `first` on.
    pub(super) fn rows(&self, input: &Snapped, key: &NoiseKey, first: u64) -> NoisyRows {
        NoisyRows {
            noise: Arc::clone(&self.noise),
            levels: Arc::clone(&input.levels),
            key: key.clone(),
            first,
        }
    }
}

/// Rows of noisy inputs, made on the executor's thread.
pub(super) struct NoisyRows {
    noise: Arc<Noise>,
    levels: Arc<[i32]>,
    key: NoiseKey,
    first: u64,
}

impl RowSource for NoisyRows {
    fn fill(&self, row: usize, out: &mut [f32]) -> Result<(), String> {
        let vote = self.first + u64::try_from(row).map_err(|error| error.to_string())?;
        let Noise { grid, table } = &*self.noise;
        fill_noisy_row(table, grid, &self.key, vote, &self.levels, out).map_err(|error| error.to_string())
    }
}
