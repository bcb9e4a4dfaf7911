//! Any text as a manifest.

use std::path::Path;

use crate::domain::{ModelGuarantee, Violations};
use crate::onnx::manifest::check_values;
use crate::onnx::manifest_format::RawManifest;
use crate::onnx::{Manifest, OutputKind};

/// Reads `data` as a manifest. It is an error with reasons, or a manifest that reads alike after it
/// is written again.
pub(crate) fn manifests(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let manifest = match read(text) {
        None => return,
        Some(Err(violations)) => {
            assert!(!violations.0.is_empty(), "an error without a reason");
            return;
        }
        Some(Ok(manifest)) => manifest,
    };
    assert!(manifest.labels.len() >= 2 && manifest.input.low < manifest.input.high);
    assert!((1..=1 << 24).contains(&manifest.input.dimension()));
    let written = write(&manifest);
    let Some(Ok(again)) = read(&written) else {
        panic!("the manifest does not read again:\n{written}");
    };
    let parts = |manifest: Manifest| {
        let Manifest {
            name,
            file,
            sha256,
            labels,
            input,
            output_name,
            output_kind,
            guarantee,
            guarantee_source,
            conversion,
            is_claimed,
            ..
        } = manifest;
        (
            (name, file, sha256, labels, input, conversion),
            (output_name, output_kind, guarantee, guarantee_source, is_claimed),
        )
    };
    assert_eq!(parts(again), parts(manifest), "{written}");
}

/// `None` if `text` has another format.
fn read(text: &str) -> Option<Result<Manifest, Violations>> {
    let raw: RawManifest = toml::from_str(text).ok()?;
    Some(check_values(raw, Path::new("model.toml"), text.to_owned()))
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// The manifest as TOML.
fn write(manifest: &Manifest) -> String {
    let Manifest { input, conversion, .. } = manifest;
    let labels: Vec<String> = manifest.labels.iter().map(|label| quoted(label)).collect();
    let kind = match manifest.output_kind {
        OutputKind::Logits => "logits",
        OutputKind::Probabilities => "probabilities",
    };
    format!(
        "manifest_version = 1\nname = {}\nfile = {}\nsha256 = \"{}\"\nlabels = [{}]\n\
         [input]\nname = {}\ndtype = \"{}\"\nshape = {:?}\nrange = [{:?}, {:?}]\n{}{}\
         [output]\nname = {}\nkind = \"{kind}\"\n\
         [guarantee]\nsource = {}\n{}{}",
        quoted(&manifest.name),
        quoted(manifest.file.to_str().unwrap()),
        manifest.sha256,
        labels.join(", "),
        quoted(&input.name),
        conversion.element.name(),
        input.shape,
        input.low,
        input.high,
        optional("transpose", conversion.transpose.as_ref()),
        optional("onnx_range", conversion.onnx_range.as_ref()),
        quoted(&manifest.output_name),
        quoted(&manifest.guarantee_source),
        if manifest.is_claimed {
            "basis = \"claimed\"\n"
        } else {
            ""
        },
        guarantee(&manifest.guarantee),
    )
}

fn optional(name: &str, value: Option<&impl std::fmt::Debug>) -> String {
    value.map_or_else(String::new, |value| format!("{name} = {value:?}\n"))
}

fn guarantee(guarantee: &ModelGuarantee) -> String {
    match guarantee {
        ModelGuarantee::None => "kind = \"none\"\n".to_owned(),
        ModelGuarantee::LipschitzProbabilities {
            norm,
            constants,
            neighbourhood,
            error_bound,
        } => {
            let neighbourhood = neighbourhood.map(|radius| format!("neighbourhood = {radius:?}\n"));
            format!(
                "kind = \"lipschitz_probabilities\"\nnorm = \"{norm}\"\nconstants = {constants:?}\n\
                 probability_error_bound = {error_bound:?}\n{}",
                neighbourhood.unwrap_or_default()
            )
        }
        ModelGuarantee::LipschitzLogits {
            norm,
            constant,
            vector_valued,
            error_bound,
        } => {
            let of = if *vector_valued { "logit_vector" } else { "each_logit" };
            format!(
                "kind = \"lipschitz_logits\"\nnorm = \"{norm}\"\nconstant = {constant:?}\nconstant_of = \"{of}\"\n\
                 logit_error_bound = {error_bound:?}\n"
            )
        }
        ModelGuarantee::GaussianSmoothing { sigma, levels } => {
            format!("kind = \"gaussian_smoothing\"\nnorm = \"l2\"\nsigma = {sigma:?}\nlevels = {levels}\n")
        }
    }
}
