//! The manifest of a model: a TOML file beside the ONNX file that says what the file is and what is proven about it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{OnnxError, proof};
use crate::domain::{Guarantee, InputSpec, Norm, Violations};

/// A manifest, checked within itself.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Name of the model.
    pub name: String,
    /// The ONNX file.
    pub file: PathBuf,
    /// SHA-256 of the ONNX file, lower-case hexadecimal.
    pub sha256: String,
    /// One label for each of the K classes.
    pub labels: Vec<String>,
    /// What goes in.
    pub input: InputSpec,
    /// Name of the ONNX output.
    pub output_name: String,
    /// What comes out.
    pub output_kind: OutputKind,
    /// What is proven.
    pub guarantee: Guarantee,
    /// Where the proof comes from.
    pub guarantee_source: String,
    /// Where the manifest was read from.
    pub path: PathBuf,
    /// The manifest itself, as it was read: part of what a configuration revision names.
    pub text: String,
    /// The record of a proof beside the ONNX file, as it was read with the manifest; none if there is no such file.
    pub proof: Option<Vec<u8>>,
}

/// What a model's output stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// Before the softmax.
    Logits,
    /// After it.
    Probabilities,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    manifest_version: u32,
    name: String,
    file: String,
    sha256: String,
    labels: Vec<String>,
    input: RawInput,
    output: RawOutput,
    guarantee: RawGuarantee,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInput {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    range: [f64; 2],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOutput {
    name: String,
    kind: OutputKind,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum RawGuarantee {
    None {
        source: String,
    },
    LipschitzProbabilities {
        norm: RawNorm,
        constants: Vec<f64>,
        neighbourhood: Option<f64>,
        probability_error_bound: f64,
        source: String,
    },
    LipschitzLogits {
        norm: RawNorm,
        constant: f64,
        constant_of: RawConstantOf,
        logit_error_bound: f64,
        source: String,
    },
    GaussianSmoothing {
        norm: RawNorm,
        sigma: f64,
        levels: u32,
        source: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawNorm {
    L1,
    L2,
    Linf,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawConstantOf {
    LogitVector,
    EachLogit,
}

/// What a constant, a neighbourhood, the noise's standard deviation and the ends of the input's range may be in size. No real
/// model is near either end, and no product or quotient of a few such numbers leaves the floats.
const MAGNITUDES: std::ops::RangeInclusive<f64> = 1e-30..=1e30;

/// The largest bound on a logit's rounding error. Logits are float32, of which those near 1e6 are 1/16 apart: a larger error
/// leaves no margin, and more likely stands for "unknown", which is `guarantee.kind = "none"`.
const MAX_LOGIT_ERROR: f64 = 1e6;

impl Manifest {
    /// Reads and checks the manifest at `path`.
    ///
    /// # Errors
    /// If it cannot be read or parsed, or with every violation of its values.
    pub fn read(path: &Path) -> Result<Self, OnnxError> {
        let text = std::fs::read_to_string(path).map_err(|error| OnnxError::Unreadable {
            what: "the manifest",
            path: path.to_path_buf(),
            reason: error.to_string(),
        })?;
        let invalid = |violations| OnnxError::Manifest {
            path: path.to_path_buf(),
            violations,
        };
        let raw: RawManifest = toml::from_str(&text).map_err(|error| {
            let mut violations = Violations::default();
            violations.add("toml", error.to_string().trim().replace('\n', "\n    "));
            invalid(violations)
        })?;
        let manifest = check(raw, path, text).map_err(invalid)?;
        let proof = proof::read(&manifest.file)?;
        Ok(Self { proof, ..manifest })
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.labels.len()
    }
}

fn check(raw: RawManifest, path: &Path, text: String) -> Result<Manifest, Violations> {
    let mut wrong = Violations::default();
    wrong.check(raw.manifest_version == 1, "manifest_version", || {
        format!("expected 1, found {}", raw.manifest_version)
    });
    let sha256 = raw.sha256.to_ascii_lowercase();
    wrong.check(
        sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "sha256",
        || format!("expected 64 hexadecimal digits, found \"{}\"", raw.sha256),
    );
    wrong.check(raw.labels.len() >= 2, "labels", || {
        format!("expected at least 2 classes, found {}", raw.labels.len())
    });
    for (index, label) in raw.labels.iter().enumerate() {
        wrong.check(!raw.labels[..index].contains(label), "labels", || {
            format!("\"{label}\" is there twice")
        });
    }
    let RawInput {
        name,
        dtype,
        shape,
        range: [low, high],
    } = raw.input;
    wrong.check(dtype == "float32", "input.dtype", || {
        format!("expected \"float32\", found \"{dtype}\"")
    });
    let dimension = shape
        .iter()
        .try_fold(1usize, |product, &length| product.checked_mul(length));
    wrong.check(
        dimension.is_some_and(|values| (1..=1 << 24).contains(&values)),
        "input.shape",
        || format!("expected the shape of one input, without the batch axis, of 1 to 2^24 values; found {shape:?}"),
    );
    let most = *MAGNITUDES.end();
    let in_range = |end: f64| (-most..=most).contains(&end);
    wrong.check(in_range(low) && in_range(high) && low < high, "input.range", || {
        format!("expected [low, high] with low < high, both from -1e30 to 1e30; found [{low:e}, {high:e}]")
    });
    let classes = raw.labels.len();
    let (guarantee, source) = guarantee(raw.guarantee, classes, &mut wrong);
    if matches!(guarantee, Guarantee::LipschitzProbabilities { .. }) {
        wrong.check(raw.output.kind == OutputKind::Probabilities, "output.kind", || {
            "must be \"probabilities\" for guarantee.kind = \"lipschitz_probabilities\"".to_owned()
        });
    }
    if matches!(guarantee, Guarantee::LipschitzLogits { .. }) {
        wrong.check(raw.output.kind == OutputKind::Logits, "output.kind", || {
            "must be \"logits\" for guarantee.kind = \"lipschitz_logits\"".to_owned()
        });
    }
    wrong.into_result()?;
    let levels = match guarantee {
        Guarantee::GaussianSmoothing { levels, .. } => Some(levels),
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
        output_name: raw.output.name,
        output_kind: raw.output.kind,
        guarantee,
        guarantee_source: source,
        path: path.to_path_buf(),
        text,
        proof: None,
    })
}

fn guarantee(raw: RawGuarantee, classes: usize, wrong: &mut Violations) -> (Guarantee, String) {
    let positive = |value: f64| MAGNITUDES.contains(&value);
    match raw {
        RawGuarantee::None { source } => (Guarantee::None, source),
        RawGuarantee::LipschitzProbabilities {
            norm,
            constants,
            neighbourhood,
            probability_error_bound,
            source,
        } => {
            wrong.check(constants.len() == classes, "guarantee.constants", || {
                format!(
                    "expected one for each of the {classes} classes, found {}",
                    constants.len()
                )
            });
            wrong.check(constants.iter().copied().all(positive), "guarantee.constants", || {
                format!("expected numbers from 1e-30 to 1e30; found {constants:?}")
            });
            wrong.check(neighbourhood.is_none_or(positive), "guarantee.neighbourhood", || {
                "expected a radius from 1e-30 to 1e30, or no such key".to_owned()
            });
            wrong.check(
                (0.0..=1.0).contains(&probability_error_bound),
                "guarantee.probability_error_bound",
                || format!("expected a number from 0 to 1, found {probability_error_bound:e}"),
            );
            let norm = norm.into();
            let error_bound = probability_error_bound;
            (
                Guarantee::LipschitzProbabilities {
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
            source,
        } => {
            wrong.check(positive(constant), "guarantee.constant", || {
                format!("expected a number from 1e-30 to 1e30, found {constant:e}")
            });
            wrong.check(
                (0.0..=MAX_LOGIT_ERROR).contains(&logit_error_bound),
                "guarantee.logit_error_bound",
                || {
                    format!(
                        "expected a number from 0 to {MAX_LOGIT_ERROR:e}, found {logit_error_bound:e}; a model whose error \
                         is unknown has guarantee.kind = \"none\""
                    )
                },
            );
            let vector_valued = constant_of == RawConstantOf::LogitVector;
            wrong.check(!vector_valued || norm == RawNorm::L2, "guarantee.norm", || {
                "must be \"l2\" where constant_of = \"logit_vector\"".to_owned()
            });
            let norm = norm.into();
            (
                Guarantee::LipschitzLogits {
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
            wrong.check(norm == RawNorm::L2, "guarantee.norm", || {
                "must be \"l2\" for Gaussian smoothing".to_owned()
            });
            wrong.check(positive(sigma), "guarantee.sigma", || {
                format!("expected a number from 1e-30 to 1e30, found {sigma:e}")
            });
            wrong.check((1..=65_536).contains(&levels), "guarantee.levels", || {
                format!("expected a whole number from 1 to 65536, found {levels}")
            });
            (Guarantee::GaussianSmoothing { sigma, levels }, source)
        }
    }
}

impl From<RawNorm> for Norm {
    fn from(raw: RawNorm) -> Self {
        match raw {
            RawNorm::L1 => Self::L1,
            RawNorm::L2 => Self::L2,
            RawNorm::Linf => Self::Linf,
        }
    }
}
