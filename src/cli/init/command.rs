//! The steps of `certimix init`.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};

use super::arguments::InitArgs;
use super::config_text::ConfigDraft;
use super::guarantee_answer::{Guarantee, Subject, guarantee};
use super::input_answers::{onnx_range, served_range, served_shape, shown_shape, transpose};
use super::labels::labels;
use super::manifest_text::ManifestDraft;
use super::model_probe::{ClassOutput, FoundKind, ModelInput, class_outputs, find_kind};
use super::output_files::{OutputPaths, PreparedFiles};
use super::questions::{Offer, Questions};
use super::summary::Summary;
use crate::cli::progress_bar::status_line;
use crate::domain::{InputSpec, PerRole, Role};
use crate::onnx::{InspectedModel, OutputKind, Runtime};

/// Where the library of ONNX Runtime usually is: in a checkout of the repository, and installed.
const USUAL_LIBRARIES: [&str; 3] = [
    ".runtime/onnxruntime/libonnxruntime.so",
    "/usr/local/lib/libonnxruntime.so",
    "/usr/lib/libonnxruntime.so",
];

/// Writes manifests and settings for two ONNX files.
pub(in crate::cli) fn run(args: &InitArgs) -> anyhow::Result<()> {
    let paths = OutputPaths::new(args)?;
    let library = find_library(args.library.as_deref())?;
    let runtime = Runtime::load(&library)?;
    let mut models = open_models(&runtime, args)?;
    let mut questions = Questions::new(args.yes);

    let inputs = PerRole {
        standard: ModelInput::of(&models.standard)?,
        robust: ModelInput::of(&models.robust)?,
    };
    let shape = served_shape(&mut questions, &args.interface, &inputs)?;
    let range = served_range(&mut questions, &args.interface, &inputs, &models)?;
    let (Some(shape), Some(range)) = (shape, range) else {
        return questions.require_all();
    };
    let standard = model_answers(
        Role::Standard,
        &mut questions,
        args,
        &inputs,
        &mut models,
        (&shape, range),
    )?;
    let robust = model_answers(
        Role::Robust,
        &mut questions,
        args,
        &inputs,
        &mut models,
        (&shape, range),
    )?;
    let (Some(standard), Some(robust)) = (standard, robust) else {
        return questions.require_all();
    };
    if standard.output.classes != robust.output.classes {
        bail!(
            "the standard model has {} classes (output \"{}\"), the robust model {} (output \"{}\")",
            standard.output.classes,
            standard.output.name,
            robust.output.classes,
            robust.output.name
        );
    }
    let subject = Subject {
        file: &models.robust.file,
        kind: robust.kind.kind,
        logits: robust.kind.logits.as_deref(),
        shape: &robust.onnx_shape,
        range: robust.onnx_range.unwrap_or(range),
    };
    let robust_guarantee = guarantee(&mut questions, &args.guarantee, &subject)?;
    questions.require_all()?;
    let guarantees = PerRole {
        standard: Guarantee::None,
        robust: robust_guarantee.unwrap_or(Guarantee::None),
    };
    let labels = labels(args.interface.labels.as_deref(), robust.output.classes)?;
    let answers = PerRole { standard, robust };
    let drafts = PerRole::of(|role| {
        let answers: &ModelAnswers = &answers[role];
        ManifestDraft {
            role,
            name: paths.manifests[role]
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            file: paths.model_in_manifest(role),
            sha256: models[role].sha256.clone(),
            labels: labels.clone(),
            input_name: inputs[role].name.clone(),
            element: inputs[role].element,
            shape: shape.clone(),
            range,
            transpose: answers.transpose.clone(),
            onnx_range: answers.onnx_range,
            output_name: answers.output.name.clone(),
            kind: answers.kind.kind,
            guarantee: guarantees[role].clone(),
        }
    });
    // The check opens the models again.
    drop(models);
    write(args, paths, &library, &drafts, &answers)
}

/// Checks and writes the files, and reports them.
fn write(
    args: &InitArgs,
    paths: OutputPaths,
    library: &Path,
    drafts: &PerRole<ManifestDraft>,
    answers: &PerRole<ModelAnswers>,
) -> anyhow::Result<()> {
    let [low, high] = drafts.robust.range;
    let spec = InputSpec {
        name: drafts.robust.input_name.clone(),
        shape: drafts.robust.shape.clone(),
        low,
        high,
        levels: None,
    };
    let config = |manifests: PerRole<&str>| {
        ConfigDraft {
            manifests,
            library,
            spec: &spec,
            is_smoothed: matches!(drafts.robust.guarantee, Guarantee::Smoothing { .. }),
        }
        .text()
    };
    let prepared = PreparedFiles::new(paths, &PerRole::of(|role| drafts[role].text()))?;
    let line = status_line();
    line.set_message("checking both models as the server does");
    let check = prepared.check(config);
    line.finish_and_clear();
    let check = check?;
    let paths = prepared.publish(args.force, config)?;
    let summary = Summary {
        paths: &paths,
        drafts,
        kind_reasons: &PerRole::of(|role| answers[role].kind.reason.clone()),
        check: &check,
    };
    summary.print(args.json)
}

/// The stated library, or one of the usual ones.
fn find_library(stated: Option<&Path>) -> anyhow::Result<PathBuf> {
    let usual = || USUAL_LIBRARIES.into_iter().map(Path::new).find(|path| path.is_file());
    let library = stated.or_else(usual).ok_or_else(|| {
        anyhow!(
            "--library: state libonnxruntime.so 1.24 or later, the shared library of ONNX Runtime; `make runtime` fetches it, \
             and it is part of the PyPI package onnxruntime"
        )
    })?;
    Ok(std::path::absolute(library)?)
}

/// Opens both models, and reports the errors of both.
fn open_models(runtime: &Runtime, args: &InitArgs) -> anyhow::Result<PerRole<InspectedModel>> {
    let standard = InspectedModel::open(runtime, &args.standard);
    let robust = InspectedModel::open(runtime, &args.robust);
    match (standard, robust) {
        (Ok(standard), Ok(robust)) => Ok(PerRole { standard, robust }),
        (Err(standard), Err(robust)) if args.standard != args.robust => bail!("{standard}\n{robust}"),
        (Err(error), _) | (_, Err(error)) => Err(error.into()),
    }
}

/// What was found about one model.
struct ModelAnswers {
    output: ClassOutput,
    kind: FoundKind,
    transpose: Option<Vec<usize>>,
    onnx_range: Option<[f64; 2]>,
    onnx_shape: Vec<usize>,
}

/// Runs the model of `role` on inputs of a shape in a range, and finds or asks its output. `None`: a
/// flag is missing.
fn model_answers(
    role: Role,
    questions: &mut Questions,
    args: &InitArgs,
    inputs: &PerRole<ModelInput>,
    models: &mut PerRole<InspectedModel>,
    (shape, range): (&[usize], [f64; 2]),
) -> anyhow::Result<Option<ModelAnswers>> {
    let (input, model) = (&inputs[role], &mut models[role]);
    let Some(transpose) = transpose(shape, &input.shape) else {
        bail!(
            "the {} model takes inputs of the shape {}, not {shape:?}",
            role.name(),
            shown_shape(&input.shape)
        );
    };
    let onnx_shape = match &transpose {
        Some(axes) => axes.iter().filter_map(|&axis| shape.get(axis).copied()).collect(),
        None => shape.to_vec(),
    };
    let onnx_range = onnx_range(input.element, range, args.interface.onnx_ranges()[role]);
    let found = class_outputs(model, input, &onnx_shape, onnx_range.unwrap_or(range))?;
    let Some(output) = choose_output(role, questions, args, found, model)? else {
        return Ok(None);
    };
    let mut kind = find_kind(model, &output);
    if let Some(stated) = args.interface.kinds()[role]
        && stated != kind.kind
    {
        kind = FoundKind {
            kind: stated,
            reason: format!("stated by --{}-kind", role.name()),
            logits: None,
        };
    }
    Ok(Some(ModelAnswers {
        output,
        kind,
        transpose,
        onnx_range,
        onnx_shape,
    }))
}

/// Chooses one of the outputs that have a value for each class.
fn choose_output(
    role: Role,
    questions: &mut Questions,
    args: &InitArgs,
    mut found: Vec<ClassOutput>,
    model: &InspectedModel,
) -> anyhow::Result<Option<ClassOutput>> {
    let described: Vec<String> = found
        .iter()
        .map(|output| {
            let kind = match find_kind(model, output).kind {
                OutputKind::Logits => "logits",
                OutputKind::Probabilities => "probabilities",
            };
            format!("{} ({} {kind})", output.name, output.classes)
        })
        .collect();
    if let Some(name) = args.interface.outputs()[role] {
        let index = found.iter().position(|output| output.name == name).ok_or_else(|| {
            anyhow!(
                "--{}-output: {} has no output \"{name}\" with a value for each class; it has {}",
                role.name(),
                model.file.display(),
                described.join(", ")
            )
        })?;
        return Ok(Some(found.swap_remove(index)));
    }
    if found.len() <= 1 {
        return Ok(found.pop());
    }
    let prompt = format!("which output of the {} model holds the classes", role.name());
    let flag = format!("--{}-output", role.name());
    let index = questions.choice(&flag, &prompt, &described, Offer::Nothing)?;
    Ok(index
        .filter(|&index| index < found.len())
        .map(|index| found.swap_remove(index)))
}
