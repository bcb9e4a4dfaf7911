//! The header of the records that services compute, from what they say about themselves.

use crate::certificate::{Alpha, CertificateError, FailureProbability, MixingWeights, RadiusMethod, Temperature};
use crate::domain::{
    Basis, BoundKind, ComputeEnvironment, InputSpec, JustifiedBasis, ModelGuarantee, Norm, PerRole, Role,
};
use crate::evaluation::{DataSetIdentity, EvaluatedModel, EvaluationHeader, EvaluationSettings, SamplingConditions};
use crate::onnx::OutputKind;
use crate::rpc::proto::{self, GetModelInfoResponse, Provenance};
use crate::settings::MixtureSettings;

/// What a run adds to the description of a service.
#[derive(Debug, Clone)]
pub(super) struct RunIdentity {
    pub(super) data_set: DataSetIdentity,
    /// The estimation votes of each input; `None` for those of Predict.
    pub(super) votes: Option<u64>,
    /// The start of the run, RFC 3339.
    pub(super) created: String,
}

/// Describes a run on the service that returned `info`.
///
/// # Errors
/// The field that the service does not set, as one of an earlier version does, or that is not valid.
pub(super) fn service_header(info: &GetModelInfoResponse, run: RunIdentity) -> Result<EvaluationHeader, String> {
    let provenance = info.provenance.as_ref().ok_or_else(|| missing("provenance"))?;
    let models = PerRole {
        standard: info.standard.as_ref().ok_or_else(|| missing("standard"))?,
        robust: info.robust.as_ref().ok_or_else(|| missing("robust"))?,
    };
    let (guarantee, total_variation) = guarantee(models.robust)?;
    let limits = info.certification.as_ref().ok_or_else(|| missing("certification"))?;
    let levels = match &guarantee {
        ModelGuarantee::GaussianSmoothing { levels, .. } => Some(*levels),
        _ => None,
    };
    let kinds = PerRole {
        standard: output_kind(models.standard, Role::Standard)?,
        robust: output_kind(models.robust, Role::Robust)?,
    };
    Ok(EvaluationHeader {
        data_set: run.data_set,
        models: PerRole::of(|role| EvaluatedModel {
            name: models[role].name.clone(),
            sha256: models[role].sha256.clone(),
            output_kind: kinds[role],
        }),
        labels: info.labels.clone(),
        input: input_spec(info.input.as_ref().ok_or_else(|| missing("input"))?, levels)?,
        guarantee,
        guarantee_basis: guarantee_basis(models.robust),
        caveat: info.caveat.clone(),
        sampling: total_variation.map(|total_variation| SamplingConditions {
            selection_votes: limits.selection_votes,
            estimation_votes: run.votes.unwrap_or(limits.predict_votes),
            total_variation,
            noise_secret: None,
        }),
        settings: settings(info, provenance, limits).map_err(|error| error.to_string())?,
        environment: environment(provenance),
        created: run.created,
        certimix_version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

fn missing(field: &str) -> String {
    format!("the service does not state {field}: it is of an earlier version, which returns no outputs of its models")
}

/// The environment in which a response was computed.
pub(super) fn environment(provenance: &Provenance) -> ComputeEnvironment {
    ComputeEnvironment {
        standard_batch_size: length(provenance.standard_batch_size),
        robust_batch_size: length(provenance.robust_batch_size),
        runtime_version: provenance.runtime_version.clone(),
        processor: provenance.processor.clone(),
    }
}

fn length(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn output_kind(model: &proto::ModelInfo, role: Role) -> Result<OutputKind, String> {
    match model.output_kind() {
        proto::OutputKind::Logits => Ok(OutputKind::Logits),
        proto::OutputKind::Probabilities => Ok(OutputKind::Probabilities),
        proto::OutputKind::Unspecified => Err(missing(&format!("{}.output_kind", role.name()))),
    }
}

fn input_spec(input: &proto::InputInfo, levels: Option<u32>) -> Result<InputSpec, String> {
    let shape: Option<Vec<usize>> = input.shape.iter().map(|&side| usize::try_from(side).ok()).collect();
    Ok(InputSpec {
        name: input.name.clone(),
        shape: shape.ok_or_else(|| format!("input.shape is {:?}, expected positive numbers", input.shape))?,
        low: input.low,
        high: input.high,
        levels,
    })
}

/// The guarantee, and the total variation of its noise if it is smoothing.
fn guarantee(robust: &proto::ModelInfo) -> Result<(ModelGuarantee, Option<f64>), String> {
    use proto::guarantee::Kind;
    let kind = robust
        .guarantee_parameters
        .as_ref()
        .and_then(|guarantee| guarantee.kind.as_ref());
    let Some(kind) = kind else {
        return match robust.guarantee.as_str() {
            "none" => Ok((ModelGuarantee::None, None)),
            _ => Err(missing("robust.guarantee_parameters")),
        };
    };
    Ok(match kind {
        Kind::LipschitzProbabilities(found) => {
            let guarantee = ModelGuarantee::LipschitzProbabilities {
                norm: norm(found.norm())?,
                constants: found.constants.clone(),
                neighbourhood: found.neighbourhood,
                error_bound: found.error_bound,
            };
            (guarantee, None)
        }
        Kind::LipschitzLogits(found) => {
            let guarantee = ModelGuarantee::LipschitzLogits {
                norm: norm(found.norm())?,
                constant: found.constant,
                vector_valued: found.vector_valued,
                error_bound: found.error_bound,
            };
            (guarantee, None)
        }
        Kind::GaussianSmoothing(found) => {
            let guarantee = ModelGuarantee::GaussianSmoothing {
                sigma: found.sigma,
                levels: found.levels,
            };
            (guarantee, Some(found.total_variation))
        }
    })
}

fn norm(norm: proto::Norm) -> Result<Norm, String> {
    match norm {
        proto::Norm::L1 => Ok(Norm::L1),
        proto::Norm::L2 => Ok(Norm::L2),
        proto::Norm::Linf => Ok(Norm::Linf),
        proto::Norm::Unspecified => Err(missing("the norm of the guarantee")),
    }
}

fn guarantee_basis(robust: &proto::ModelInfo) -> Option<JustifiedBasis> {
    let basis = match robust.guarantee_basis() {
        proto::CertificateBasis::Proven => Basis::Proven,
        proto::CertificateBasis::Claimed => Basis::Claimed,
        proto::CertificateBasis::Unspecified => return None,
    };
    Some(JustifiedBasis {
        basis,
        reason: robust.guarantee_basis_reason.clone(),
    })
}

fn settings(
    info: &GetModelInfoResponse,
    provenance: &Provenance,
    limits: &proto::CertificationLimits,
) -> Result<EvaluationSettings, CertificateError> {
    let alpha = Alpha::new(provenance.alpha)?;
    let fallback_alpha = provenance.fallback_alpha.map_or(Ok(alpha), Alpha::new)?;
    Ok(EvaluationSettings {
        mixture: MixtureSettings {
            weights: MixingWeights::new(alpha, fallback_alpha)?,
            robust_temperature: Temperature::new(provenance.robust_temperature)?,
        },
        radius_method: match info.smoothing_method() {
            proto::CertificateMethod::Theorem2 => RadiusMethod::Theorem2,
            // A model that is not smoothed has no such formula.
            _ => RadiusMethod::Tight,
        },
        bound: match limits.bound() {
            proto::BoundMethod::ClopperPearson => BoundKind::ClopperPearson,
            proto::BoundMethod::Anytime | proto::BoundMethod::Unspecified => BoundKind::Anytime,
        },
        failure_probability: FailureProbability::new(limits.failure_probability)?,
        selection_votes: limits.selection_votes,
        predict_votes: limits.predict_votes,
        predict_target_radius: (limits.predict_target_radius > 0.0).then_some(limits.predict_target_radius),
    })
}

/// What differs between two services, beside the settings that records do not depend on.
pub(super) fn different_conditions(first: &EvaluationHeader, other: &EvaluationHeader) -> Option<&'static str> {
    [
        ("the standard model", first.models.standard == other.models.standard),
        ("the robust model", first.models.robust == other.models.robust),
        ("the labels", first.labels == other.labels),
        ("the input", first.input == other.input),
        ("the guarantee", first.guarantee == other.guarantee),
        (
            "the basis of the guarantee",
            first.guarantee_basis == other.guarantee_basis,
        ),
        ("the caveat of certificates", first.caveat == other.caveat),
        ("the votes", first.sampling == other.sampling),
        (
            "the batch sizes, the build of ONNX Runtime or the processor (the last bits of an output depend on them)",
            first.environment == other.environment,
        ),
    ]
    .into_iter()
    .find_map(|(name, is_same)| (!is_same).then_some(name))
}
