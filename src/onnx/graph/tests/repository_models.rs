//! The models of this repository: which are deterministic, and which are proven row-independent.

use super::super::{check_deterministic, decode_self_contained_model, prove_row_independence};

/// The bundled models must not fall back to single rows, nor the models that other tests measure.
#[test]
fn the_models_of_this_repository_are_analysed() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut analysed = 0;
    for folder in ["models/cifar10", "tests/fixtures"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let manifest = crate::onnx::Manifest::read(&path).unwrap();
            let bytes = std::fs::read(&manifest.file).unwrap();
            let Ok(model) = decode_self_contained_model(bytes.into()) else {
                continue;
            };
            let input = &manifest.input;
            let shape = manifest.conversion.onnx_shape(&input.shape);
            let proof = prove_row_independence(&model, &input.name, &shape, &manifest.output_name);
            // Each of these fixtures mixes rows, returns random outputs, or has another input.
            let unproven = [
                "batch_mean_h",
                "batch_softmax_h",
                "fixed_batch_mean",
                "quantised_g",
                "quantised_h",
                "random_g",
                "reshaped_h",
                "transposed_h",
                "two_inputs",
            ];
            assert_eq!(
                proof.is_err(),
                unproven.contains(&manifest.name.as_str()),
                "{}: {proof:?}",
                manifest.name
            );
            assert_eq!(
                check_deterministic(&model).is_err(),
                ["dropout_h", "random_g"].contains(&manifest.name.as_str())
            );
            analysed += 1;
        }
    }
    assert!(analysed > 20, "{analysed}");
}
