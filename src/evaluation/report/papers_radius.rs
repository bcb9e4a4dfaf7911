//! The certified inputs of the paper's mixtures with the paper's own radius.
//!
//! For a smoothed model that is Theorem 2. For a model with Lipschitz logits, Theorem 1 applies to
//! its probabilities: at temperature T, with a logit constant L, each component of
//! `softmax(z / T)` is `sqrt(2) L / (4 T)`-Lipschitz if the vector of logits is L-Lipschitz in l2, and
//! `L / (2 T)`-Lipschitz if each logit is (the sum of the absolute derivatives of a component is
//! `2 h (1 - h)`, at most 1/2). These numbers are a comparison; no certificate is made with them.

use std::f64::consts::SQRT_2;

use crate::certificate::{RadiusMethod, Temperature, log_softmax};
use crate::domain::{ModelGuarantee, RobustOutput};
use crate::evaluation::recompute::{RadiusGrid, Recomputation, RecomputeError, Setting, SettingSummary};
use crate::evaluation::record::{EvaluationHeader, EvaluationRecord};
use crate::onnx::OutputKind;

/// The rounding of a probability to float32, and of the softmax in float64.
const PROBABILITY_ROUNDING: f64 = 1e-7;

/// The name of the theorem for such a model; `None` if the radius in force is the paper's own, or
/// nothing is proven.
pub(super) fn theorem_of(guarantee: &ModelGuarantee) -> Option<&'static str> {
    match guarantee {
        ModelGuarantee::LipschitzLogits { .. } => Some("Theorem 1"),
        ModelGuarantee::GaussianSmoothing { .. } => Some("Theorem 2"),
        ModelGuarantee::LipschitzProbabilities { .. } | ModelGuarantee::None => None,
    }
}

/// The summaries of the paper's mixtures `settings` with the paper's radius, in their order; empty if
/// [`theorem_of`] is `None`.
///
/// # Errors
/// As for [`Recomputation::summaries`].
pub(super) fn summaries_with_papers_radius(
    header: &EvaluationHeader,
    recomputation: &Recomputation<'_>,
    settings: &[Setting],
    grid: &RadiusGrid,
) -> Result<Vec<SettingSummary>, RecomputeError> {
    match &header.guarantee {
        ModelGuarantee::GaussianSmoothing { .. } => {
            let with_theorem2 = |setting: &Setting| Setting {
                radius_method: RadiusMethod::Theorem2,
                ..*setting
            };
            let settings: Vec<Setting> = settings.iter().map(with_theorem2).collect();
            recomputation.summaries(&settings, grid, &|_| {})
        }
        ModelGuarantee::LipschitzLogits { .. } => settings
            .iter()
            .map(|setting| theorem1_summary(header, recomputation.records(), setting, grid))
            .collect(),
        ModelGuarantee::LipschitzProbabilities { .. } | ModelGuarantee::None => Ok(Vec::new()),
    }
}

/// The summary of one of the paper's mixtures with the radius of Theorem 1: the rows become
/// probabilities, and the guarantee is that of the probabilities.
fn theorem1_summary(
    header: &EvaluationHeader,
    records: &[&EvaluationRecord],
    setting: &Setting,
    grid: &RadiusGrid,
) -> Result<SettingSummary, RecomputeError> {
    let temperature = setting.mixture.robust_temperature;
    let mut header = header.clone();
    header.guarantee = of_probabilities(&header.guarantee, temperature, header.labels.len());
    header.models.robust.output_kind = OutputKind::Probabilities;
    let records: Vec<EvaluationRecord> = records
        .iter()
        .map(|record| EvaluationRecord {
            robust: as_probabilities(&record.robust, temperature),
            ..(*record).clone()
        })
        .collect();
    let recomputation = Recomputation::new(&header, &records)?;
    let setting = setting.with_mixture(setting.alpha(), setting.fallback_alpha(), 1.0)?;
    let mut summaries = recomputation.summaries(&[setting], grid, &|_| {})?;
    summaries.pop().ok_or(RecomputeError::Thread)
}

/// The guarantee of the probabilities that follows from one of the logits.
fn of_probabilities(guarantee: &ModelGuarantee, temperature: Temperature, classes: usize) -> ModelGuarantee {
    let ModelGuarantee::LipschitzLogits {
        norm,
        constant,
        vector_valued,
        error_bound,
    } = guarantee
    else {
        return ModelGuarantee::None;
    };
    let per_logit = if *vector_valued { SQRT_2 / 4.0 } else { 0.5 };
    // A relative margin far above the rounding of these products.
    let rounded_up = |value: f64| value * (1.0 + 1e-12);
    ModelGuarantee::LipschitzProbabilities {
        norm: *norm,
        constants: vec![rounded_up(per_logit * constant / temperature.get()); classes],
        neighbourhood: None,
        error_bound: rounded_up(error_bound / (2.0 * temperature.get())) + PROBABILITY_ROUNDING,
    }
}

/// `softmax(z / T)` of a row of logits. A row that is not finite stays as it is, and proves nothing.
fn as_probabilities(output: &RobustOutput, temperature: Temperature) -> RobustOutput {
    match output {
        RobustOutput::Row(row) if row.iter().all(|value| value.is_finite()) => {
            let log_probabilities = log_softmax(row, temperature);
            #[expect(clippy::cast_possible_truncation, reason = "the rounding is in the error bound")]
            let rounded = |log: &f64| log.exp() as f32;
            RobustOutput::Row(log_probabilities.iter().map(rounded).collect())
        }
        other => other.clone(),
    }
}
