//! The header of a record file as JSON. The numbers keep every bit.

use serde::{Deserialize, Serialize};

use super::record::{DataSetIdentity, EvaluatedModel, EvaluationHeader, EvaluationSettings, SamplingConditions};
use crate::certificate::{Alpha, FailureProbability, MixingWeights, RadiusMethod, Temperature};
use crate::domain::{
    Basis, BoundKind, ComputeEnvironment, InputSpec, JustifiedBasis, ModelGuarantee, Norm, PerRole, bytes_of_hex, hex,
};
use crate::onnx::OutputKind;
use crate::settings::MixtureSettings;

/// The version of the format. A reader refuses every other version.
const FORMAT_VERSION: u32 = 1;

/// Returns `header` as one JSON object.
///
/// # Errors
/// None is expected: every value has a JSON form.
pub(super) fn to_json(header: &EvaluationHeader) -> Result<serde_json::Value, String> {
    serde_json::to_value(HeaderFormat::from(header)).map_err(|error| error.to_string())
}

/// Reads a header.
///
/// # Errors
/// A message that names the field.
pub(super) fn from_json(text: &str) -> Result<EvaluationHeader, String> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let Version { format_version } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if format_version != FORMAT_VERSION {
        return Err(format!(
            "format_version is {format_version}, expected {FORMAT_VERSION}: another version of certimix wrote the file"
        ));
    }
    let format: HeaderFormat = serde_json::from_str(text).map_err(|error| error.to_string())?;
    format.try_into()
}

#[derive(Serialize, Deserialize)]
struct HeaderFormat {
    format_version: u32,
    data_set: DataSetFormat,
    models: RolesFormat,
    labels: Vec<String>,
    #[serde(with = "InputFormat")]
    input: InputSpec,
    #[serde(with = "GuaranteeFormat")]
    guarantee: ModelGuarantee,
    guarantee_basis: Option<JustifiedBasisFormat>,
    caveat: String,
    sampling: Option<SamplingFormat>,
    settings: SettingsFormat,
    #[serde(with = "EnvironmentFormat")]
    environment: ComputeEnvironment,
    created: String,
    certimix_version: String,
}

#[derive(Serialize, Deserialize)]
struct DataSetFormat {
    name: String,
    sha256: String,
}

#[derive(Serialize, Deserialize)]
struct RolesFormat {
    standard: ModelFormat,
    robust: ModelFormat,
}

#[derive(Serialize, Deserialize)]
struct ModelFormat {
    name: String,
    sha256: String,
    #[serde(with = "OutputKindFormat")]
    output_kind: OutputKind,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "OutputKind", rename_all = "lowercase")]
enum OutputKindFormat {
    Logits,
    Probabilities,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "InputSpec")]
struct InputFormat {
    name: String,
    shape: Vec<usize>,
    low: f64,
    high: f64,
    levels: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Norm", rename_all = "lowercase")]
enum NormFormat {
    L1,
    L2,
    Linf,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ModelGuarantee", tag = "kind", rename_all = "snake_case")]
enum GuaranteeFormat {
    None,
    LipschitzProbabilities {
        #[serde(with = "NormFormat")]
        norm: Norm,
        constants: Vec<f64>,
        neighbourhood: Option<f64>,
        error_bound: f64,
    },
    LipschitzLogits {
        #[serde(with = "NormFormat")]
        norm: Norm,
        constant: f64,
        vector_valued: bool,
        error_bound: f64,
    },
    GaussianSmoothing {
        sigma: f64,
        levels: u32,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Basis", rename_all = "lowercase")]
enum BasisFormat {
    Proven,
    Claimed,
}

#[derive(Serialize, Deserialize)]
struct JustifiedBasisFormat {
    #[serde(with = "BasisFormat")]
    basis: Basis,
    reason: String,
}

#[derive(Serialize, Deserialize)]
struct SamplingFormat {
    selection_votes: u64,
    estimation_votes: u64,
    total_variation: f64,
    noise_secret: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RadiusMethod", rename_all = "snake_case")]
enum RadiusMethodFormat {
    Tight,
    Theorem2,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "BoundKind", rename_all = "snake_case")]
enum BoundFormat {
    Anytime,
    ClopperPearson,
}

#[derive(Serialize, Deserialize)]
struct SettingsFormat {
    alpha: f64,
    fallback_alpha: f64,
    robust_temperature: f64,
    #[serde(with = "RadiusMethodFormat")]
    radius_method: RadiusMethod,
    #[serde(with = "BoundFormat")]
    bound: BoundKind,
    failure_probability: f64,
    selection_votes: u64,
    predict_votes: u64,
    predict_target_radius: Option<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ComputeEnvironment")]
struct EnvironmentFormat {
    standard_batch_size: usize,
    robust_batch_size: usize,
    runtime_version: String,
    processor: String,
}

impl From<&EvaluationHeader> for HeaderFormat {
    fn from(header: &EvaluationHeader) -> Self {
        let model = |model: &EvaluatedModel| ModelFormat {
            name: model.name.clone(),
            sha256: model.sha256.clone(),
            output_kind: model.output_kind,
        };
        let settings = &header.settings;
        let weights = settings.mixture.weights;
        Self {
            format_version: FORMAT_VERSION,
            data_set: DataSetFormat {
                name: header.data_set.name.clone(),
                sha256: header.data_set.sha256.clone(),
            },
            models: RolesFormat {
                standard: model(&header.models.standard),
                robust: model(&header.models.robust),
            },
            labels: header.labels.clone(),
            input: header.input.clone(),
            guarantee: header.guarantee.clone(),
            guarantee_basis: header.guarantee_basis.as_ref().map(|basis| JustifiedBasisFormat {
                basis: basis.basis,
                reason: basis.reason.clone(),
            }),
            caveat: header.caveat.clone(),
            sampling: header.sampling.as_ref().map(|sampling| SamplingFormat {
                selection_votes: sampling.selection_votes,
                estimation_votes: sampling.estimation_votes,
                total_variation: sampling.total_variation,
                noise_secret: sampling.noise_secret.as_ref().map(|secret| hex(secret)),
            }),
            settings: SettingsFormat {
                alpha: weights.alpha().get(),
                fallback_alpha: weights.fallback_alpha().get(),
                robust_temperature: settings.mixture.robust_temperature.get(),
                radius_method: settings.radius_method,
                bound: settings.bound,
                failure_probability: settings.failure_probability.get(),
                selection_votes: settings.selection_votes,
                predict_votes: settings.predict_votes,
                predict_target_radius: settings.predict_target_radius,
            },
            environment: header.environment.clone(),
            created: header.created.clone(),
            certimix_version: header.certimix_version.clone(),
        }
    }
}

impl TryFrom<HeaderFormat> for EvaluationHeader {
    type Error = String;

    fn try_from(format: HeaderFormat) -> Result<Self, String> {
        let model = |model: ModelFormat| EvaluatedModel {
            name: model.name,
            sha256: model.sha256,
            output_kind: model.output_kind,
        };
        let values = format
            .input
            .shape
            .iter()
            .try_fold(1_usize, |values, &side| values.checked_mul(side));
        if values.is_none_or(|values| values == 0) {
            return Err(format!(
                "input.shape is {:?}, expected positive numbers",
                format.input.shape
            ));
        }
        if format.labels.len() < 2 {
            return Err(format!(
                "labels has {} classes, expected at least 2",
                format.labels.len()
            ));
        }
        if let ModelGuarantee::LipschitzProbabilities { constants, .. } = &format.guarantee
            && constants.len() != format.labels.len()
        {
            return Err(format!(
                "guarantee.constants has {} numbers, expected one for each of the {} classes",
                constants.len(),
                format.labels.len()
            ));
        }
        let is_smoothed = matches!(format.guarantee, ModelGuarantee::GaussianSmoothing { .. });
        if is_smoothed != format.sampling.is_some() {
            return Err("sampling must be there for a smoothed model, and for no other".to_owned());
        }
        let sampling = format.sampling.as_ref().map(sampling).transpose()?;
        Ok(Self {
            data_set: DataSetIdentity {
                name: format.data_set.name,
                sha256: format.data_set.sha256,
            },
            models: PerRole {
                standard: model(format.models.standard),
                robust: model(format.models.robust),
            },
            labels: format.labels,
            input: format.input,
            guarantee: format.guarantee,
            guarantee_basis: format.guarantee_basis.map(|basis| JustifiedBasis {
                basis: basis.basis,
                reason: basis.reason,
            }),
            caveat: format.caveat,
            sampling,
            settings: settings(&format.settings)?,
            environment: format.environment,
            created: format.created,
            certimix_version: format.certimix_version,
        })
    }
}

fn sampling(format: &SamplingFormat) -> Result<SamplingConditions, String> {
    if format.selection_votes == 0 || format.estimation_votes == 0 {
        return Err("sampling must have at least one selection vote and one estimation vote".to_owned());
    }
    if !(0.0..=1.0).contains(&format.total_variation) {
        return Err(format!(
            "sampling.total_variation is {}, expected 0 to 1",
            format.total_variation
        ));
    }
    Ok(SamplingConditions {
        selection_votes: format.selection_votes,
        estimation_votes: format.estimation_votes,
        total_variation: format.total_variation,
        noise_secret: match &format.noise_secret {
            None => None,
            Some(digits) => Some(bytes_of_hex(digits).ok_or("sampling.noise_secret must be 64 hexadecimal digits")?),
        },
    })
}

fn settings(format: &SettingsFormat) -> Result<EvaluationSettings, String> {
    let of = |field: &str, error: crate::certificate::CertificateError| format!("settings.{field}: {error}");
    let alpha = Alpha::new(format.alpha).map_err(|error| of("alpha", error))?;
    let fallback_alpha = Alpha::new(format.fallback_alpha).map_err(|error| of("fallback_alpha", error))?;
    Ok(EvaluationSettings {
        mixture: MixtureSettings {
            weights: MixingWeights::new(alpha, fallback_alpha).map_err(|error| of("fallback_alpha", error))?,
            robust_temperature: Temperature::new(format.robust_temperature)
                .map_err(|error| of("robust_temperature", error))?,
        },
        radius_method: format.radius_method,
        bound: format.bound,
        failure_probability: FailureProbability::new(format.failure_probability)
            .map_err(|error| of("failure_probability", error))?,
        selection_votes: format.selection_votes,
        predict_votes: format.predict_votes,
        predict_target_radius: format.predict_target_radius,
    })
}
