//! Compares the inputs and outputs that a graph declares with its manifest.

use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

use super::{ElementType, Manifest};
use crate::domain::{ModelGuarantee, Violations};

/// Adds a violation for each difference. Returns the number of rows in every run, if the batch axis
/// of the input is fixed.
pub(super) fn check(manifest: &Manifest, session: &Session, violations: &mut Violations) -> Option<usize> {
    let inputs: Vec<&str> = session.inputs().iter().map(Outlet::name).collect();
    violations.check(inputs == [manifest.input.name.as_str()], "input.name", || {
        format!(
            "the manifest declares \"{}\", the model has {inputs:?}",
            manifest.input.name
        )
    });
    for input in session.inputs() {
        check_input(manifest, input.dtype(), violations);
    }
    let declared = session.outputs();
    match declared.iter().find(|output| output.name() == manifest.output_name) {
        Some(output) => check_output(manifest, output.dtype(), violations),
        None => {
            let outputs: Vec<&str> = declared.iter().map(Outlet::name).collect();
            violations.add(
                "output.name",
                format!(
                    "the manifest declares \"{}\", the model has {outputs:?}",
                    manifest.output_name
                ),
            );
        }
    }
    match session.inputs().first()?.dtype() {
        ValueType::Tensor { shape, .. } => usize::try_from(*shape.first()?).ok(),
        _ => None,
    }
}

fn check_input(manifest: &Manifest, found: &ValueType, violations: &mut Violations) {
    let ValueType::Tensor {
        ty, shape: declared, ..
    } = found
    else {
        return violations.add("input.shape", format!("expected a tensor, the model has {found}"));
    };
    let expected = manifest.conversion.element;
    violations.check(ElementType::of_runtime(*ty) == Some(expected), "input.dtype", || {
        format!(
            "the manifest declares {}, the input of the model is {}",
            expected.name(),
            type_name(*ty)
        )
    });
    let shape = manifest.conversion.onnx_shape(&manifest.input.shape);
    let shape: Vec<i64> = shape
        .iter()
        .map(|&length| i64::try_from(length).unwrap_or(i64::MAX))
        .collect();
    let rest = declared.get(1..).unwrap_or_default();
    let fits = declared.len() == shape.len() + 1
        && rest
            .iter()
            .zip(&shape)
            .all(|(declared, expected)| *declared == -1 || declared == expected);
    violations.check(fits, "input.shape", || {
        format!(
            "the manifest declares [N, …] = [N, {}], the model has {declared:?}",
            comma_separated(&shape)
        )
    });
    violations.check(declared.first() != Some(&0), "input.shape", || {
        format!("the model has {declared:?}, whose batch axis holds no row")
    });
}

fn check_output(manifest: &Manifest, found: &ValueType, violations: &mut Violations) {
    let ValueType::Tensor {
        ty, shape: declared, ..
    } = found
    else {
        return violations.add("labels", format!("expected a tensor, the model has {found}"));
    };
    let element = ElementType::of_runtime(*ty);
    violations.check(element.is_some_and(ElementType::is_float), "output.name", || {
        format!(
            "expected an output of float16, float32 or float64, the model has {}",
            type_name(*ty)
        )
    });
    let is_lipschitz = matches!(
        manifest.guarantee,
        ModelGuarantee::LipschitzLogits { .. } | ModelGuarantee::LipschitzProbabilities { .. }
    );
    // The server computes with float32. The rounding is an error of its own, beside the stated bound.
    violations.check(
        !is_lipschitz || element.is_none_or(ElementType::fits_float32),
        "output.name",
        || {
            format!(
                "must be float32 or float16 for guarantee.kind = \"{}\", the model returns {}: no error bound covers the \
                 conversion to float32; add a Cast to float32 behind the output, and include it in the error bound",
                manifest.guarantee.name(),
                type_name(*ty)
            )
        },
    );
    // Further axes of length 1 change nothing: [N, K, 1, 1].
    let classes = i64::try_from(manifest.classes()).unwrap_or(i64::MAX);
    let rest = declared.get(1..).unwrap_or_default();
    let long = || rest.iter().filter(|&&length| length != 1);
    let fits = !rest.is_empty()
        && long().filter(|&&length| length != -1).all(|&length| length == classes)
        && long().filter(|&&length| length == classes).count() <= 1
        && long().count() > 0;
    violations.check(fits, "labels", || {
        format!("the manifest declares [N, …] = [N, {classes}], the model has {declared:?}")
    });
}

/// The name of a type as NumPy and the manifest write it, for the types of real models.
fn type_name(element: TensorElementType) -> String {
    match (ElementType::of_runtime(element), element) {
        (Some(element), _) => element.name().to_owned(),
        (None, TensorElementType::Bfloat16) => "bfloat16".to_owned(),
        (None, other) => other.to_string(),
    }
}

fn comma_separated(shape: &[i64]) -> String {
    shape.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}
