//! What a candidate would have answered, by the code that answers requests.

use super::observation::{Observation, ServedPrediction, VoteObservation};
use super::shadow_counts::ShadowPrediction;
use crate::certificate::{
    Alpha, CertificateError, SmoothingPlan, Tally, Temperature, argmax, certify, choose_sides, decide, mixed_logits,
};
use crate::classifier::models::Engine;
use crate::classifier::prediction::lipschitz;
use crate::classifier::prediction::mixing::mix;
use crate::classifier::prediction::robust_prediction::unavailable_reason;
use crate::classifier::smoothing::smoothed_prediction;
use crate::domain::{Guarantee, InputSpec, PerRole, StopReason};
use crate::onnx::OutputKind;
use crate::settings::MixtureSettings;

/// What must be known of the models and the settings. A copy: the models may be swapped while observations wait.
pub(in crate::classifier) struct Evaluator {
    guarantee: Guarantee,
    kinds: PerRole<OutputKind>,
    spec: InputSpec,
    classes: usize,
    candidates: Vec<MixtureSettings>,
}

impl Evaluator {
    /// Judges `alphas` on what `engine` says, at one temperature.
    pub(in crate::classifier) fn new(engine: &Engine, alphas: &[Alpha], robust_temperature: Temperature) -> Self {
        let candidate = |&alpha| MixtureSettings {
            alpha,
            robust_temperature,
        };
        Self {
            guarantee: engine.robust.guarantee.clone(),
            kinds: PerRole {
                standard: engine.standard.output_kind,
                robust: engine.robust.output_kind,
            },
            spec: engine.spec.clone(),
            classes: engine.labels.len(),
            candidates: alphas.iter().map(candidate).collect(),
        }
    }

    /// The candidates.
    pub(in crate::classifier) fn alphas(&self) -> impl Iterator<Item = Alpha> {
        self.candidates.iter().map(|candidate| candidate.alpha)
    }

    /// For each input what was served, and what each candidate would have answered, in their order.
    ///
    /// # Errors
    /// Those of the mathematics: none that the request itself did not fail with.
    pub(in crate::classifier) fn judge(
        &self,
        observation: &Observation,
    ) -> Result<Vec<(ServedPrediction, Vec<ShadowPrediction>)>, CertificateError> {
        match observation {
            Observation::Rows { outputs, served } => {
                let rows = outputs
                    .standard
                    .chunks_exact(self.classes)
                    .zip(outputs.robust.chunks_exact(self.classes));
                rows.zip(served)
                    .map(|((standard, robust), served)| {
                        let verdicts = self.each(|candidate| self.row(standard, robust, candidate))?;
                        Ok((*served, verdicts))
                    })
                    .collect()
            }
            Observation::VoteObservation(votes) => {
                let verdicts = self.each(|candidate| self.votes(votes, candidate))?;
                Ok(vec![(votes.served, verdicts)])
            }
        }
    }

    fn each(
        &self,
        verdict: impl Fn(&MixtureSettings) -> Result<ShadowPrediction, CertificateError>,
    ) -> Result<Vec<ShadowPrediction>, CertificateError> {
        self.candidates.iter().map(verdict).collect()
    }

    /// Exactly what the candidate would have answered.
    fn row(
        &self,
        standard: &[f32],
        robust: &[f32],
        candidate: &MixtureSettings,
    ) -> Result<ShadowPrediction, CertificateError> {
        let standard = lipschitz::log_probs(self.kinds.standard, standard, Temperature::ONE);
        let robust = lipschitz::certify(&self.guarantee, self.kinds.robust, robust, &self.spec, candidate)?;
        let answer = mix(candidate.alpha, standard, robust);
        Ok(ServedPrediction::new(&answer).verdict())
    }

    /// What the candidate's own rule would have made of these votes, looking at them when the serving rule did. If it would have
    /// drawn more, this is what it had until then; a radius counts only if it was proven before the candidate's rule stopped.
    fn votes(
        &self,
        votes: &VoteObservation,
        candidate: &MixtureSettings,
    ) -> Result<ShadowPrediction, CertificateError> {
        let can_certify = unavailable_reason(&self.guarantee, candidate).is_none();
        let looks = votes.trace.looks();
        let mut verdict = ShadowPrediction {
            class: 0,
            radius: 0.0,
            votes: looks.last().map_or(0, |last| last.votes),
            unfinished: false,
            likely: false,
        };
        // At a deadline its own run would have ended too, and at the end of the budget anyway.
        verdict.unfinished = votes.stop_reason != StopReason::Deadline && verdict.votes < votes.vote_budget;
        let chosen = votes.trace.chosen();
        if let Some(chosen) = chosen.filter(|_| can_certify) {
            let mut plan = SmoothingPlan {
                alpha: candidate.alpha,
                ..votes.plan
            };
            plan.sides = choose_sides(&plan, chosen.selection, self.classes, votes.vote_budget)?;
            for &tally in looks {
                let proven = certify(&plan, tally)?;
                verdict.radius =
                    smoothed_prediction::served_radius(proven.radius, votes.snapping_loss).max(verdict.radius);
                if decide(&plan, tally, votes.vote_budget)?.is_stop() {
                    verdict.votes = tally.votes;
                    verdict.unfinished = false;
                    break;
                }
            }
            if let Some(last) = looks.last().filter(|_| verdict.unfinished) {
                let radius = certify(&plan, as_many(*last, votes.vote_budget))?.radius;
                verdict.likely = smoothed_prediction::served_radius(radius, votes.snapping_loss) > 0.0;
            }
        }
        verdict.class = match chosen {
            Some(chosen) if verdict.radius > 0.0 => chosen.class,
            _ => {
                let mixed = mixed_logits(candidate.alpha, &votes.standard_log_probs, votes.trace.log_shares());
                argmax(&mixed).unwrap_or(0)
            }
        };
        Ok(verdict)
    }
}

/// `votes` votes that fall as those of `tally`, the class's share rounded down.
fn as_many(tally: Tally, votes: u64) -> Tally {
    let of_all = |count: u64| {
        let scaled = u128::from(count) * u128::from(votes) / u128::from(tally.votes.max(1));
        u64::try_from(scaled).unwrap_or(votes)
    };
    Tally {
        votes,
        votes_for_class: of_all(tally.votes_for_class),
        votes_for_runner_up: of_all(tally.votes_for_runner_up),
    }
}

#[cfg(test)]
impl Evaluator {
    /// Of two classes, and of a robust model about which nothing is proven.
    pub(in crate::classifier) fn example(alphas: &[Alpha]) -> Self {
        let candidate = |&alpha| MixtureSettings {
            alpha,
            robust_temperature: Temperature::ONE,
        };
        Self {
            guarantee: Guarantee::None,
            kinds: PerRole::of(|_| OutputKind::Probabilities),
            spec: InputSpec {
                name: "input".to_owned(),
                shape: vec![4],
                low: 0.0,
                high: 1.0,
                levels: None,
            },
            classes: 2,
            candidates: alphas.iter().map(candidate).collect(),
        }
    }
}
