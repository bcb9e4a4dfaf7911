//! 100 real images on the bundled Lipschitz pair: the server against a reference of numpy and ONNX
//! Runtime, for the paper's mixture and for gated mixtures.
//!
//! `tests/reference/lipschitz_reference.py` wrote the reference.

use serde::Deserialize;

use crate::support::cifar10_images::{repository_path, test_images};
use crate::support::messages::{bytes, certificate, predict_request};
use crate::support::reference_formulas::assert_close;
use crate::support::{Setup, TestServer};

/// The last bits of ONNX Runtime depend on the processor: the error of a logit is at most 2e-6, and
/// the temperature multiplies it by 5.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Reference {
    alpha: f64,
    temperature: f64,
    fallback_alphas: Vec<f64>,
    standard_model_sha256: String,
    robust_model_sha256: String,
    images: Vec<Image>,
}

#[derive(Deserialize)]
struct Image {
    index: usize,
    standard_probabilities: Vec<f64>,
    robust_probabilities: Vec<f64>,
    margin: f64,
    status: String,
    radius: f64,
    mixtures: Vec<Mixture>,
}

/// The results at one `fallback_alpha`.
#[derive(Deserialize)]
struct Mixture {
    robust_weight: f64,
    mixed_logits: Vec<f64>,
    class: u32,
}

fn reference() -> Reference {
    let text = std::fs::read_to_string(repository_path("tests/reference/lipschitz_cifar10.json")).unwrap();
    let reference: Reference = serde_json::from_str(&text).unwrap();
    assert_eq!((reference.images.len(), test_images().len()), (100, 100));
    // Every image is decided: none is near the margin.
    let margin_needed = (1.0 - reference.alpha) / reference.alpha;
    let decided = |image: &&Image| (image.margin - margin_needed).abs() > 10.0 * TOLERANCE;
    assert_eq!(reference.images.iter().filter(decided).count(), 100);
    reference
}

/// Without a `fallback_alpha` for the paper's mixture, which is the default.
fn setup(reference: &Reference, fallback_alpha: f64) -> Setup {
    let setup = Setup::pair("linear_g", "linear_h")
        .path("models.standard", &repository_path("models/cifar10/standard.toml"))
        .path("models.robust", &repository_path("models/cifar10/lipschitz.toml"))
        .with("mixture.alpha", reference.alpha)
        .with("mixture.robust_temperature", reference.temperature)
        .with("runtime.executors", 2)
        .batch_size(16)
        .text("server.max_request_time", "10m");
    if fallback_alpha == reference.alpha {
        setup
    } else {
        setup.with("mixture.fallback_alpha", fallback_alpha)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_server_matches_the_reference_for_every_fallback_alpha() {
    let (reference, pixels) = (reference(), test_images());
    let mut gate_changes = 0;
    for (place, &fallback_alpha) in reference.fallback_alphas.iter().enumerate() {
        let server = TestServer::start(setup(&reference, fallback_alpha)).await;
        let mut client = server.client().await;
        for (images, pixels) in reference.images.chunks(10).zip(pixels.chunks(10)) {
            let request = predict_request(bytes(&[10, 3, 32, 32], &pixels.concat()));
            let response = client.predict(request).await.unwrap().into_inner();
            let provenance = response.provenance.unwrap();
            assert_eq!(provenance.standard_model_sha256, reference.standard_model_sha256);
            assert_eq!(provenance.robust_model_sha256, reference.robust_model_sha256);
            assert_eq!(
                (provenance.alpha, provenance.fallback_alpha),
                (reference.alpha, Some(fallback_alpha))
            );
            for (prediction, image) in response.predictions.iter().zip(images) {
                let (found, expected, index) = (certificate(prediction), &image.mixtures[place], image.index);
                assert_close(
                    &prediction.standard_probabilities,
                    &image.standard_probabilities,
                    TOLERANCE,
                );
                assert_close(&prediction.robust_probabilities, &image.robust_probabilities, TOLERANCE);
                assert_close(&prediction.mixed_logits, &expected.mixed_logits, 10.0 * TOLERANCE);
                assert_eq!(prediction.robust_weight, Some(expected.robust_weight), "image {index}");
                assert_eq!(prediction.class_index, expected.class, "image {index}");
                assert_eq!(
                    found.status().as_str_name(),
                    format!("CERTIFICATE_STATUS_{}", image.status),
                    "image {index}"
                );
                // The reference has the error bound of the manifest, and no allowance for float64.
                assert!((found.radius - image.radius).abs() < 1e-5, "image {index}: {found:?}");
                gate_changes += usize::from(expected.class != image.mixtures[0].class);
            }
        }
    }
    assert!(gate_changes > 5, "only {gate_changes} classes differ between the rules");
}
