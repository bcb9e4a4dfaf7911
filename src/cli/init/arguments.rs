//! The arguments of `certimix init`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::output;
use crate::domain::{Norm, PerRole};
use crate::onnx::OutputKind;

const HELP: &str = "\
Examples:
  certimix init --standard a.onnx --robust b.onnx
  certimix init --standard a.onnx --robust b.onnx --range 0,1 \\
    --labels classes.txt --yes
  certimix init --standard a.onnx --robust b.onnx --range 0,1 --guarantee prove
  certimix init --standard a.onnx --robust noisy.onnx --range 0,1 --sigma 0.25

Reads both ONNX files, runs the models on a few inputs, and writes a manifest beside each file (or into --out) and a \
settings file. It asks, in a terminal, for what neither the files nor the flags tell. Before a file gets its name, all of \
them pass the checks of `certimix check-config`.

The range of the input values cannot be read from most files. Radii are in its units.

A guarantee is never invented. Without one the manifest states \"none\", and the server answers without certificates:
  none     nothing is stated
  smooth   Gaussian smoothing: the server adds noise of --sigma; for any classifier
  prove    a network that is Lipschitz in l2 by construction: `python3 -m certimix_models prove` proves its constant
  state    --constant and --logit-error-bound, which you vouch for: the manifest, GetModelInfo and every certificate \
call them claimed";

/// Arguments of `certimix init`.
#[derive(Debug, Args)]
#[command(after_help = format!("{HELP}\n\n{}", output::EXIT_CODES))]
pub(in crate::cli) struct InitArgs {
    /// The ONNX file of the standard model, the accurate one
    #[arg(long, value_name = "FILE")]
    pub(super) standard: PathBuf,
    /// The ONNX file of the robust model
    #[arg(long, value_name = "FILE")]
    pub(super) robust: PathBuf,
    /// The settings file to write
    #[arg(long, value_name = "FILE", default_value = "certimix.toml")]
    pub(super) config: PathBuf,
    /// The folder for the manifests [default: that of each ONNX file]
    #[arg(long, value_name = "FOLDER")]
    pub(super) out: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    pub(super) force: bool,
    /// Ask nothing; an error names the flag for each answer that is missing
    #[arg(long, short)]
    pub(super) yes: bool,
    /// The shared library of ONNX Runtime
    #[arg(long, value_name = "FILE", env = "CERTIMIX__RUNTIME__LIBRARY")]
    pub(super) library: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) interface: InterfaceArgs,
    #[command(flatten)]
    pub(super) guarantee: GuaranteeArgs,
}

/// The inputs and the outputs of both models.
#[derive(Debug, Args)]
pub(super) struct InterfaceArgs {
    /// The lowest and the highest value of an input, as callers send it
    #[arg(long, value_name = "LOW,HIGH", value_parser = parse_range, allow_hyphen_values = true)]
    pub(super) range: Option<[f64; 2]>,
    /// The shape of one input, where an ONNX file leaves it open
    #[arg(long, value_name = "C,H,W", value_parser = parse_shape)]
    pub(super) shape: Option<Shape>,
    /// The labels, one a line in the order of the outputs [default: 0 to K-1]
    #[arg(long, value_name = "FILE")]
    pub(super) labels: Option<PathBuf>,
    /// The output of the standard model, if it has several
    #[arg(long, value_name = "NAME")]
    standard_output: Option<String>,
    /// The output of the robust model, if it has several
    #[arg(long, value_name = "NAME")]
    robust_output: Option<String>,
    /// What the ONNX input of the standard model has for --range, if that differs
    #[arg(long, value_name = "LOW,HIGH", value_parser = parse_range, allow_hyphen_values = true)]
    standard_onnx_range: Option<[f64; 2]>,
    /// What the ONNX input of the robust model has for --range, if that differs
    #[arg(long, value_name = "LOW,HIGH", value_parser = parse_range, allow_hyphen_values = true)]
    robust_onnx_range: Option<[f64; 2]>,
    /// Whether the standard model returns logits or probabilities [default: as its outputs show]
    #[arg(long, value_name = "KIND")]
    standard_kind: Option<KindArg>,
    /// Whether the robust model returns logits or probabilities [default: as its outputs show]
    #[arg(long, value_name = "KIND")]
    robust_kind: Option<KindArg>,
}

impl InterfaceArgs {
    /// The stated outputs.
    pub(super) fn outputs(&self) -> PerRole<Option<&str>> {
        PerRole {
            standard: self.standard_output.as_deref(),
            robust: self.robust_output.as_deref(),
        }
    }

    /// The stated ranges of the ONNX inputs.
    pub(super) fn onnx_ranges(&self) -> PerRole<Option<[f64; 2]>> {
        PerRole {
            standard: self.standard_onnx_range,
            robust: self.robust_onnx_range,
        }
    }

    /// The stated kinds of output.
    pub(super) fn kinds(&self) -> PerRole<Option<OutputKind>> {
        PerRole {
            standard: self.standard_kind.map(Into::into),
            robust: self.robust_kind.map(Into::into),
        }
    }
}

/// The guarantee of the robust model.
#[derive(Debug, Args)]
pub(super) struct GuaranteeArgs {
    /// What is guaranteed about the robust model [default: none, or what --sigma or --constant imply]
    #[arg(long, value_name = "KIND")]
    guarantee: Option<GuaranteeChoice>,
    /// Standard deviation of the noise of a smoothed model, in the units of the range
    #[arg(long, value_name = "SIGMA")]
    pub(super) sigma: Option<f64>,
    /// The grid of a smoothed model: the steps from the low to the high end of the range
    #[arg(long, value_name = "N", default_value_t = 65_535)]
    pub(super) levels: u32,
    /// The Lipschitz constant of the logits, for --guarantee state
    #[arg(long, value_name = "L")]
    pub(super) constant: Option<f64>,
    /// The norm of the stated constant
    #[arg(long, value_name = "NORM", default_value = "l2")]
    pub(super) norm: NormArg,
    /// Whether the stated constant is that of the whole vector of logits, or of each logit
    #[arg(long, value_name = "OF", default_value = "logit-vector")]
    pub(super) constant_of: ConstantOf,
    /// The stated bound on the rounding error of each logit
    #[arg(long, value_name = "BOUND")]
    pub(super) logit_error_bound: Option<f64>,
    /// Where the stated numbers come from, for people
    #[arg(long, value_name = "TEXT")]
    pub(super) source: Option<String>,
    /// The Python that runs certimix_models, for --guarantee prove
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    pub(super) python: PathBuf,
}

impl GuaranteeArgs {
    /// The kind that the flags state or imply.
    pub(super) fn choice(&self) -> Option<GuaranteeChoice> {
        let implied = || match (self.sigma, self.constant) {
            (Some(_), _) => Some(GuaranteeChoice::Smooth),
            (None, Some(_)) => Some(GuaranteeChoice::State),
            (None, None) => None,
        };
        self.guarantee.or_else(implied)
    }
}

/// A kind of guarantee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum GuaranteeChoice {
    /// Nothing is stated
    None,
    /// Gaussian smoothing
    Smooth,
    /// A Lipschitz constant that the prover proves
    Prove,
    /// A Lipschitz constant that you vouch for
    State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KindArg {
    /// Before the softmax
    Logits,
    /// After the softmax
    Probabilities,
}

impl From<KindArg> for OutputKind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Logits => Self::Logits,
            KindArg::Probabilities => Self::Probabilities,
        }
    }
}

/// The norm of a stated constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum NormArg {
    /// Sum of absolute values
    L1,
    /// Euclidean
    L2,
    /// Largest absolute value
    Linf,
}

impl From<NormArg> for Norm {
    fn from(norm: NormArg) -> Self {
        match norm {
            NormArg::L1 => Self::L1,
            NormArg::L2 => Self::L2,
            NormArg::Linf => Self::Linf,
        }
    }
}

/// The subject of a stated constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ConstantOf {
    /// The whole vector of logits
    LogitVector,
    /// Each logit by itself
    EachLogit,
}

/// The shape of one input, without the batch axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape(pub(super) Vec<usize>);

/// Parses `LOW,HIGH`.
pub(super) fn parse_range(text: &str) -> Result<[f64; 2], String> {
    let ends: Option<Vec<f64>> = text.split(',').map(|end| end.trim().parse().ok()).collect();
    match ends.as_deref() {
        Some(&[low, high]) if low < high && low.is_finite() && high.is_finite() => Ok([low, high]),
        _ => Err("expected LOW,HIGH: two numbers, the lower one first, such as 0,1".to_owned()),
    }
}

/// Parses lengths with commas.
pub(super) fn parse_shape(text: &str) -> Result<Shape, String> {
    let lengths: Option<Vec<usize>> = text.split(',').map(|length| length.trim().parse().ok()).collect();
    lengths
        .filter(|lengths| !lengths.contains(&0))
        .map(Shape)
        .ok_or_else(|| "expected the lengths of the axes without the batch axis, such as 3,32,32".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_shapes_are_parsed() {
        assert_eq!(parse_range("-1, 2.5"), Ok([-1.0, 2.5]));
        assert_eq!(parse_shape("3,32,32"), Ok(Shape(vec![3, 32, 32])));
        for wrong in ["1", "1,0", "0,nan", "0,inf", "0,1,2", ""] {
            assert!(parse_range(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "3,0", "3,-1", "a"] {
            assert!(parse_shape(wrong).is_err(), "{wrong}");
        }
    }
}
