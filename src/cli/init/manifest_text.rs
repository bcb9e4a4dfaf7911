//! The text of a manifest.

use std::fmt::Write as _;
use std::path::Path;

use toml_edit::Value;

use super::arguments::ConstantOf;
use super::guarantee_answer::Guarantee;
use super::prover::shown_command;
use crate::cli::text_layout::printable;
use crate::domain::Role;
use crate::onnx::{ElementType, OutputKind};

/// Everything that a manifest states.
#[derive(Debug, Clone)]
pub(super) struct ManifestDraft {
    pub(super) role: Role,
    pub(super) name: String,
    /// The ONNX file, relative to the folder of the manifest.
    pub(super) file: String,
    pub(super) sha256: String,
    pub(super) labels: Vec<String>,
    pub(super) input_name: String,
    pub(super) element: ElementType,
    /// The shape and the range as callers send inputs.
    pub(super) shape: Vec<usize>,
    pub(super) range: [f64; 2],
    pub(super) transpose: Option<Vec<usize>>,
    pub(super) onnx_range: Option<[f64; 2]>,
    pub(super) output_name: String,
    pub(super) kind: OutputKind,
    pub(super) guarantee: Guarantee,
}

impl ManifestDraft {
    /// The manifest in TOML.
    pub(super) fn text(&self) -> String {
        let mut text =
            String::from("# Written by `certimix init`. docs/reference/manifests.md describes every field.\n");
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        line("manifest_version = 1".to_owned());
        line(format!("name = {}", string(&self.name)));
        line(format!("file = {}", string(&self.file)));
        line(format!("sha256 = {}", string(&self.sha256)));
        line(format!(
            "labels = {}",
            list(self.labels.iter().map(|label| string(label)))
        ));
        line("\n[input]".to_owned());
        line(format!("name = {}", string(&self.input_name)));
        line(format!("dtype = {}", string(self.element.name())));
        line(format!("shape = {}  # without the batch axis", integers(&self.shape)));
        line(format!("range = {}  # other values are refused", floats(&self.range)));
        if let Some(axes) = &self.transpose {
            line(format!(
                "transpose = {}  # the axes of `shape` in the order of the ONNX input",
                integers(axes)
            ));
        }
        if let Some(range) = &self.onnx_range {
            line(format!(
                "onnx_range = {}  # what the ONNX input has for `range`",
                floats(range)
            ));
        }
        line("\n[output]".to_owned());
        line(format!("name = {}", string(&self.output_name)));
        line(format!("kind = {}", string(kind_name(self.kind))));
        text.push_str("\n[guarantee]\n");
        text.push_str(&self.guarantee_text());
        text
    }

    fn guarantee_text(&self) -> String {
        match &self.guarantee {
            Guarantee::None if self.role == Role::Standard => {
                "kind = \"none\"\nsource = \"a standard model needs no guarantee\"\n".to_owned()
            }
            Guarantee::None => self.missing_guarantee_text(),
            Guarantee::Smoothing { sigma, levels } => format!(
                "kind = \"gaussian_smoothing\"\nnorm = \"l2\"\nsigma = {}\nlevels = {levels}\nsource = \"Gaussian smoothing: \
                 the server draws the noise\"\n",
                float(*sigma)
            ),
            Guarantee::Lipschitz {
                norm,
                constant,
                constant_of,
                error_bound,
                source,
                is_claimed,
            } => {
                let constant_of = match constant_of {
                    ConstantOf::LogitVector => "logit_vector",
                    ConstantOf::EachLogit => "each_logit",
                };
                let mut text = format!("kind = \"lipschitz_logits\"\nnorm = \"{norm}\"\n");
                let _ = writeln!(text, "constant = {}", float(*constant));
                let _ = writeln!(text, "constant_of = \"{constant_of}\"");
                let _ = writeln!(text, "logit_error_bound = {}", float(*error_bound));
                if *is_claimed {
                    text.push_str("basis = \"claimed\"  # a person stated the numbers; certificates say so\n");
                }
                let _ = writeln!(text, "source = {}", string(source));
                text
            }
        }
    }

    /// No guarantee, and how to add one.
    fn missing_guarantee_text(&self) -> String {
        let model = Path::new(&self.file);
        format!(
            "# Nothing is stated about this model, so the server answers without certificates. To add a guarantee:\n\
             # - Any classifier can be smoothed: the server adds noise. Replace the lines below by\n\
             #     kind = \"gaussian_smoothing\"\n\
             #     norm = \"l2\"\n\
             #     sigma = 0.25    # the noise that the model was trained with, in the units of the range\n\
             #     levels = 65535\n\
             #     source = \"Gaussian smoothing\"\n\
             # - A network that is Lipschitz by construction: the prover finds its constant and writes it here, with\n\
             #     {}\n\
             kind = \"none\"\n\
             source = \"nothing was stated to certimix init\"\n",
            printable(&shown_command(model, self.range))
        )
    }
}

/// The name of a kind of output in a manifest.
pub(super) fn kind_name(kind: OutputKind) -> &'static str {
    match kind {
        OutputKind::Logits => "logits",
        OutputKind::Probabilities => "probabilities",
    }
}

/// A string in TOML.
pub(super) fn string(text: &str) -> String {
    Value::from(text).to_string()
}

/// A float in TOML, which reads back as the same float.
fn float(value: f64) -> String {
    Value::from(value).to_string()
}

fn list(values: impl Iterator<Item = String>) -> String {
    let values: Vec<String> = values.collect();
    format!("[{}]", values.join(", "))
}

fn integers(values: &[usize]) -> String {
    list(values.iter().map(ToString::to_string))
}

fn floats(values: &[f64]) -> String {
    list(values.iter().map(|&value| float(value)))
}
