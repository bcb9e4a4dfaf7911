//! The attacker of `examples/lane_keeping/attacker.py`: adds a pattern of a limited l2 norm to what the camera sees, to steer the
//! car to the left.
//!
//! The pattern is found by gradient ascent on the served mixture. The gradient comes from finite differences: the attacker asks
//! the server about the current image with each block of 2 x 2 pixels a little brighter. Each tick continues from the pattern of
//! the last one, because the scene changes slowly.

use certimix_client::{Client, Error, PredictOptions, Tensor};

use super::plant::{Image, LABELS, SIZE, norm};

/// The rows and columns of a block.
const BLOCK: usize = 2;
const BLOCKS: usize = (SIZE / BLOCK) * (SIZE / BLOCK);
/// The step of one tick, as a part of the budget.
const STEP: f64 = 0.5;
/// The difference of brightness in a finite difference.
const DIFFERENCE: f32 = 0.02;
/// The smallest probability whose logarithm is taken.
const SMALLEST: f64 = 1e-37;
/// The attack needs both models: the robust one must lose its margin before the standard one decides. Neither has to be pushed
/// further than this.
const STANDARD_MARGIN: f64 = 2.0;
const ROBUST_MARGIN: f64 = 15.0;
const ROBUST_WEIGHT: f64 = 2.0;

/// Keeps the pattern from tick to tick.
pub struct Attacker {
    client: Client,
    pattern: Image,
}

impl Attacker {
    pub fn new(client: Client) -> Self {
        Self {
            client,
            pattern: vec![0.0; SIZE * SIZE],
        }
    }

    /// A pattern of l2 norm `budget` at most. Without an answer the attacker keeps its pattern.
    pub async fn pattern(&mut self, scene: &[f32], budget: f64) -> Image {
        limit(&mut self.pattern, budget);
        if budget > 0.0
            && let Ok(gradient) = self.gradient(scene).await
        {
            let length = norm(gradient.iter().copied());
            if length > 0.0 {
                for (value, slope) in self.pattern.iter_mut().zip(&gradient) {
                    *value += rounded(STEP * budget * f64::from(*slope) / length);
                }
                limit(&mut self.pattern, budget);
            }
        }
        self.pattern.clone()
    }

    /// The difference of the gain for each pixel, which is the same for all pixels of a block.
    async fn gradient(&self, scene: &[f32]) -> Result<Image, Error> {
        let start: Image = scene
            .iter()
            .zip(&self.pattern)
            .map(|(pixel, add)| (pixel + add).clamp(0.0, 1.0))
            .collect();
        let mut images = start.clone();
        for block in 0..BLOCKS {
            let brighter = |(place, pixel): (usize, &f32)| {
                let difference = if block_of(place) == block { DIFFERENCE } else { 0.0 };
                (pixel + difference).clamp(0.0, 1.0)
            };
            images.extend(start.iter().enumerate().map(brighter));
        }
        let batch = Tensor::float32(&[BLOCKS + 1, 1, SIZE, SIZE], &images)?;
        let answers = self
            .client
            .predict_batch(&batch, &PredictOptions::default().components())
            .await?;
        let gains = answers.iter().map(|answer| {
            let [standard, robust] = [answer.standard_probabilities(), answer.robust_probabilities()].map(lead);
            standard.min(STANDARD_MARGIN) + ROBUST_WEIGHT * robust.min(ROBUST_MARGIN)
        });
        let gains: Vec<f64> = gains.collect();
        Ok((0..SIZE * SIZE)
            .map(|place| rounded(gains[1 + block_of(place)] - gains[0]))
            .collect())
    }
}

/// The block of a pixel.
fn block_of(place: usize) -> usize {
    (place / SIZE / BLOCK) * (SIZE / BLOCK) + place % SIZE / BLOCK
}

/// The log-odds of the wanted class, the first, against the best other one.
fn lead(probabilities: Option<&[f32]>) -> f64 {
    let logarithm = |class: usize| {
        let probability = probabilities.and_then(|found| found.get(class)).copied();
        f64::from(probability.unwrap_or(0.0)).max(SMALLEST).ln()
    };
    let others = (1..LABELS.len()).map(logarithm).fold(f64::NEG_INFINITY, f64::max);
    logarithm(0) - others
}

/// Makes the pattern smaller if its norm is above `budget`.
fn limit(pattern: &mut [f32], budget: f64) {
    let length = norm(pattern.iter().copied());
    if length > budget {
        let scale = rounded(budget / length * (1.0 - 1e-6));
        pattern.iter_mut().for_each(|value| *value *= scale);
    }
}

fn rounded(value: f64) -> f32 {
    value as f32
}
