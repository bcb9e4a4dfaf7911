//! Computes the prediction of each candidate mixture with the code that answers requests.

use super::recorded_outputs::{RecordedOutputs, VoteObservation};
use super::shadow_prediction::{ServedPrediction, ShadowPrediction};
use crate::certificate::{Alpha, CertificateError, SmoothingPlan, VoteRule, radius_to_prove, served_radius};
use crate::classifier::prediction::evaluated_models::EvaluatedModels;
use crate::classifier::prediction::unavailability::unavailable_reason;
use crate::classifier::smoothing::class_choice::class_of_mixture;
use crate::classifier::smoothing::target_radius::target_of_candidate;
use crate::domain::StopReason;
use crate::settings::MixtureSettings;

/// The predictions for one input: the served one, and one for each candidate in their order.
type EvaluatedInput = (ServedPrediction, Vec<ShadowPrediction>);

/// Evaluates the candidates on the outputs of the models.
pub(super) struct Evaluator {
    models: EvaluatedModels,
    candidates: Vec<MixtureSettings>,
}

impl Evaluator {
    /// Creates an evaluator of `candidates`.
    pub(super) fn new(models: EvaluatedModels, candidates: Vec<MixtureSettings>) -> Self {
        Self { models, candidates }
    }

    /// The candidates, in the order of the predictions.
    pub(super) fn candidates(&self) -> &[MixtureSettings] {
        &self.candidates
    }

    /// Returns the predictions for each input of `observation`.
    ///
    /// # Errors
    /// Returns the errors of the mathematics. The request itself succeeded with the same numbers,
    /// so none is expected.
    pub(super) fn evaluate(&self, observation: &RecordedOutputs) -> Result<Vec<EvaluatedInput>, CertificateError> {
        match observation {
            RecordedOutputs::Rows { outputs, served } => {
                let classes = self.models.classes;
                let rows = outputs
                    .standard
                    .chunks_exact(classes)
                    .zip(outputs.robust.chunks_exact(classes));
                rows.zip(served)
                    .map(|((standard, robust), served)| {
                        let predictions =
                            self.for_each_candidate(|candidate| self.predict_from_rows(standard, robust, candidate))?;
                        Ok((*served, predictions))
                    })
                    .collect()
            }
            RecordedOutputs::Votes(votes) => {
                let predictions = self.for_each_candidate(|candidate| self.predict_from_votes(votes, candidate))?;
                Ok(vec![(votes.served, predictions)])
            }
        }
    }

    fn for_each_candidate(
        &self,
        predict: impl Fn(&MixtureSettings) -> Result<ShadowPrediction, CertificateError>,
    ) -> Result<Vec<ShadowPrediction>, CertificateError> {
        self.candidates.iter().map(predict).collect()
    }

    /// Returns exactly the prediction that the candidate would give.
    fn predict_from_rows(
        &self,
        standard: &[f32],
        robust: &[f32],
        candidate: &MixtureSettings,
    ) -> Result<ShadowPrediction, CertificateError> {
        let prediction = self.models.predict_from_rows(standard, robust, candidate)?;
        Ok(ServedPrediction::new(&prediction).as_shadow())
    }

    /// Returns the prediction that the rule of the candidate makes from these votes. It evaluates
    /// the tallies that the serving rule evaluated.
    ///
    /// If the rule of the candidate would draw more votes, the result covers the recorded ones. A
    /// radius counts only if it was proven before the rule of the candidate stopped.
    fn predict_from_votes(
        &self,
        votes: &VoteObservation,
        candidate: &MixtureSettings,
    ) -> Result<ShadowPrediction, CertificateError> {
        let can_certify = unavailable_reason(&self.models.guarantee, candidate.weights.alpha()).is_none();
        let tallies = votes.trace.tallies();
        let mut prediction = ShadowPrediction {
            class: 0,
            radius: 0.0,
            // An alpha that certifies nothing draws votes for the class only. They are not counted.
            votes: tallies.last().filter(|_| can_certify).map_or(0, |last| last.votes),
            unfinished: false,
            likely: false,
        };
        // A run of the candidate would also end at the deadline, and at the end of the vote budget.
        prediction.unfinished =
            can_certify && votes.stop_reason != StopReason::Deadline && prediction.votes < votes.rule.vote_budget;
        let selection = votes.trace.selection();
        if let Some(selection) = selection.filter(|_| can_certify) {
            let rule = rule_of_candidate(votes, candidate.weights.alpha())?;
            let mut phase = rule.select(selection.tally)?;
            for &tally in tallies {
                if phase.look(tally)?.decision.is_stop() {
                    prediction.votes = tally.votes;
                    prediction.unfinished = false;
                    break;
                }
            }
            prediction.radius = phase.best_radius();
            if let Some(last) = tallies.last().filter(|_| prediction.unfinished) {
                let radius = phase.certify(last.scaled_to(rule.vote_budget))?.radius;
                prediction.likely = served_radius(radius, rule.snapping_loss) > 0.0;
            }
        }
        prediction.class = match selection {
            Some(selection) if prediction.radius > 0.0 => selection.class,
            _ => class_of_mixture(candidate.weights, &votes.standard_log_probs, votes.trace.counts())?
                .unwrap_or(votes.served.standard_class),
        };
        Ok(prediction)
    }
}

/// The rule under which a server with this alpha would have drawn the votes, with the cap that this
/// alpha has on the target.
fn rule_of_candidate(votes: &VoteObservation, alpha: Alpha) -> Result<VoteRule, CertificateError> {
    let serving = &votes.rule;
    let plan = SmoothingPlan {
        alpha,
        target_radius: None,
        ..serving.plan
    };
    let target = match votes.target {
        Some(target) => target_of_candidate(target, &plan, serving.vote_budget)?,
        None => None,
    };
    Ok(VoteRule {
        plan: SmoothingPlan {
            target_radius: target.map(|target| radius_to_prove(target, serving.snapping_loss)),
            ..plan
        },
        ..*serving
    })
}

#[cfg(test)]
impl Evaluator {
    /// An evaluator for two classes and a robust model without a guarantee.
    pub(super) fn example(candidates: Vec<MixtureSettings>) -> Self {
        use crate::domain::{InputSpec, ModelGuarantee, PerRole};
        use crate::onnx::OutputKind;
        let models = EvaluatedModels {
            guarantee: ModelGuarantee::None,
            output_kinds: PerRole::of(|_| OutputKind::Probabilities),
            spec: InputSpec {
                name: "input".to_owned(),
                shape: vec![4],
                low: 0.0,
                high: 1.0,
                levels: None,
            },
            classes: 2,
        };
        Self::new(models, candidates)
    }
}
