//! The manifest of a model: a TOML file beside the ONNX file that describes the model and its
//! guarantee.

use std::path::{Path, PathBuf};

use super::manifest_format::{OutputKind, RawConstantOf, RawGuarantee, RawInput, RawManifest, RawNorm};
use super::{ElementType, InputConversion, OnnxError, proof_record};
use crate::domain::{Float32Range, InputSpec, ModelGuarantee, Violations};
use crate::settings::{ConfigFileKind, read_config_text, toml_error_text};

/// A manifest whose values are checked, without regard to the ONNX file.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Name of the model.
    pub name: String,
    /// The ONNX file.
    pub file: PathBuf,
    /// SHA-256 of the ONNX file, lower-case hexadecimal.
    pub sha256: String,
    /// One label for each of the K classes. Two classes may have the same label; the index
    /// distinguishes them.
    pub labels: Vec<String>,
    /// Shape, range and grid of an input.
    pub input: InputSpec,
    /// How such an input becomes the ONNX input.
    pub conversion: InputConversion,
    /// Name of the ONNX output.
    pub output_name: String,
    /// The meaning of the output.
    pub output_kind: OutputKind,
    /// The guarantee that certificates rest on.
    pub guarantee: ModelGuarantee,
    /// The origin of the guarantee, for people.
    pub guarantee_source: String,
    /// The manifest marks the guarantee as the claim of a person. No proof record changes that.
    pub is_claimed: bool,
    /// The path of the manifest.
    pub path: PathBuf,
    /// The text of the manifest, which is part of the configuration revision.
    pub text: String,
    /// The bytes of the proof record beside the ONNX file; `None` if there is no such file.
    pub proof: Option<Vec<u8>>,
}

/// The accepted magnitudes of a constant, a neighbourhood, the standard deviation of the noise and
/// the ends of the input range. No real model comes near either end, and products and quotients of
/// a few such numbers do not overflow or underflow a float64.
const MAGNITUDES: std::ops::RangeInclusive<f64> = 1e-30..=1e30;

/// The largest accepted bound on the rounding error of a logit. Logits are float32, and
/// neighbouring float32 values near 1e6 are 1/16 apart. A larger error leaves no margin; it more
/// likely stands for "unknown", which is `guarantee.kind = "none"`.
const MAX_LOGIT_ERROR: f64 = 1e6;

impl Manifest {
    /// Reads and checks the manifest at `path`.
    ///
    /// # Errors
    /// If it cannot be read or parsed, or with every violation of its values.
    pub fn read(path: &Path) -> Result<Self, OnnxError> {
        let text = read_config_text(ConfigFileKind::Manifest, path).map_err(|error| OnnxError::Unreadable {
            file_kind: "the manifest",
            path: path.to_path_buf(),
            reason: error.to_string(),
        })?;
        let invalid = |violations| OnnxError::InvalidManifest {
            path: path.to_path_buf(),
            violations,
        };
        let raw: RawManifest = toml::from_str(&text).map_err(|error| {
            let mut violations = Violations::default();
            violations.add("toml", toml_error_text(&text, &error));
            invalid(violations)
        })?;
        let manifest = check_values(raw, path, text).map_err(invalid)?;
        let proof = proof_record::read(&manifest.file)?;
        Ok(Self { proof, ..manifest })
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.labels.len()
    }
}

/// Checks the values of the manifest `text`, which is at `path`.
///
/// # Errors
/// Every violation.
pub(super) fn check_values(raw: RawManifest, path: &Path, text: String) -> Result<Manifest, Violations> {
    let mut violations = Violations::default();
    violations.check(raw.manifest_version == 1, "manifest_version", || {
        format!("expected 1, found {}", raw.manifest_version)
    });
    let sha256 = raw.sha256.to_ascii_lowercase();
    violations.check(
        sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "sha256",
        || {
            format!(
                "expected 64 hexadecimal digits, found {} characters",
                raw.sha256.chars().count()
            )
        },
    );
    violations.check(raw.labels.len() >= 2, "labels", || {
        format!("expected at least 2 classes, found {}", raw.labels.len())
    });
    let RawInput {
        name,
        dtype,
        shape,
        range: [low, high],
        transpose,
        onnx_range,
    } = raw.input;
    let element = ElementType::parse(&dtype);
    violations.check(element.is_some(), "input.dtype", || {
        let names: Vec<&str> = ElementType::ALL.into_iter().map(ElementType::name).collect();
        format!("expected one of {}; found another string", names.join(", "))
    });
    let dimension = shape
        .iter()
        .try_fold(1usize, |product, &length| product.checked_mul(length));
    violations.check(
        dimension.is_some_and(|values| (1..=1 << 24).contains(&values)),
        "input.shape",
        || format!("expected the shape of one input, without the batch axis, of 1 to 2^24 values; found {shape:?}"),
    );
    let largest = *MAGNITUDES.end();
    let is_range = |low: f64, high: f64| (-largest..=largest).contains(&low) && low < high && high <= largest;
    for (field, [low, high]) in [("input.range", [low, high])]
        .into_iter()
        .chain(onnx_range.map(|range| ("input.onnx_range", range)))
    {
        violations.check(is_range(low, high), field, || {
            format!("expected [low, high] with low < high, both from -1e30 to 1e30; found [{low:e}, {high:e}]")
        });
    }
    let is_empty = is_range(low, high) && Float32Range::new(low, high).is_empty();
    violations.check(!is_empty, "input.range", || {
        format!("expected a range that contains a float32 value; found [{low:e}, {high:e}]")
    });
    let classes = raw.labels.len();
    let is_claimed = raw.guarantee.basis().is_some();
    let (guarantee, source) = check_guarantee(raw.guarantee, classes, &mut violations);
    let conversion = InputConversion {
        element: element.unwrap_or(ElementType::Float32),
        transpose,
        onnx_range,
    };
    conversion.check(&shape, &guarantee, &mut violations);
    if matches!(guarantee, ModelGuarantee::LipschitzProbabilities { .. }) {
        violations.check(raw.output.kind == OutputKind::Probabilities, "output.kind", || {
            "must be \"probabilities\" for guarantee.kind = \"lipschitz_probabilities\": export the model with its softmax, or \
             state a constant of the logits"
                .to_owned()
        });
    }
    if matches!(guarantee, ModelGuarantee::LipschitzLogits { .. }) {
        violations.check(raw.output.kind == OutputKind::Logits, "output.kind", || {
            "must be \"logits\" for guarantee.kind = \"lipschitz_logits\": name an output before the softmax".to_owned()
        });
    }
    violations.into_result()?;
    let levels = match guarantee {
        ModelGuarantee::GaussianSmoothing { levels, .. } => Some(levels),
        _ => None,
    };
    Ok(Manifest {
        name: raw.name,
        file: path.parent().unwrap_or(Path::new("")).join(raw.file),
        sha256,
        labels: raw.labels,
        input: InputSpec {
            name,
            shape,
            low,
            high,
            levels,
        },
        conversion,
        output_name: raw.output.name,
        output_kind: raw.output.kind,
        guarantee,
        guarantee_source: source,
        is_claimed,
        path: path.to_path_buf(),
        text,
        proof: None,
    })
}

fn check_guarantee(raw: RawGuarantee, classes: usize, violations: &mut Violations) -> (ModelGuarantee, String) {
    let positive = |value: f64| MAGNITUDES.contains(&value);
    match raw {
        RawGuarantee::None { source } => (ModelGuarantee::None, source),
        RawGuarantee::LipschitzProbabilities {
            norm,
            constants,
            neighbourhood,
            probability_error_bound,
            basis: _,
            source,
        } => {
            violations.check(constants.len() == classes, "guarantee.constants", || {
                format!(
                    "expected one for each of the {classes} classes, found {}",
                    constants.len()
                )
            });
            violations.check(constants.iter().copied().all(positive), "guarantee.constants", || {
                format!("expected numbers from 1e-30 to 1e30; found {constants:?}")
            });
            violations.check(neighbourhood.is_none_or(positive), "guarantee.neighbourhood", || {
                "expected a radius from 1e-30 to 1e30, or no such field".to_owned()
            });
            violations.check(
                (0.0..=1.0).contains(&probability_error_bound),
                "guarantee.probability_error_bound",
                || format!("expected a number from 0 to 1, found {probability_error_bound:e}"),
            );
            let norm = norm.into();
            let error_bound = probability_error_bound;
            (
                ModelGuarantee::LipschitzProbabilities {
                    norm,
                    constants,
                    neighbourhood,
                    error_bound,
                },
                source,
            )
        }
        RawGuarantee::LipschitzLogits {
            norm,
            constant,
            constant_of,
            logit_error_bound,
            basis: _,
            source,
        } => {
            violations.check(positive(constant), "guarantee.constant", || {
                format!("expected a number from 1e-30 to 1e30, found {constant:e}")
            });
            violations.check(
                (0.0..=MAX_LOGIT_ERROR).contains(&logit_error_bound),
                "guarantee.logit_error_bound",
                || {
                    format!(
                        "expected a number from 0 to {MAX_LOGIT_ERROR:e}, found {logit_error_bound:e}; a model with an \
                         unknown error has guarantee.kind = \"none\""
                    )
                },
            );
            let vector_valued = constant_of == RawConstantOf::LogitVector;
            violations.check(!vector_valued || norm == RawNorm::L2, "guarantee.norm", || {
                "must be \"l2\" for constant_of = \"logit_vector\"".to_owned()
            });
            let norm = norm.into();
            (
                ModelGuarantee::LipschitzLogits {
                    norm,
                    constant,
                    vector_valued,
                    error_bound: logit_error_bound,
                },
                source,
            )
        }
        RawGuarantee::GaussianSmoothing {
            norm,
            sigma,
            levels,
            source,
        } => {
            violations.check(norm == RawNorm::L2, "guarantee.norm", || {
                "must be \"l2\" for Gaussian smoothing".to_owned()
            });
            violations.check(positive(sigma), "guarantee.sigma", || {
                format!("expected a number from 1e-30 to 1e30, found {sigma:e}")
            });
            violations.check((1..=65_536).contains(&levels), "guarantee.levels", || {
                format!("expected a whole number from 1 to 65536, found {levels}")
            });
            (ModelGuarantee::GaussianSmoothing { sigma, levels }, source)
        }
    }
}
