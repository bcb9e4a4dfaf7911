//! Every bundled model behind the real server, on the 100 committed images: what its manifest promises is what is served.

use certimix::rpc::proto::{Certificate, CertificateBasis, CertificateStatus, GetModelInfoRequest, Prediction};

use crate::support::cifar10_images::{repository_path, test_images, test_labels};
use crate::support::messages::{bytes, certificate};
use crate::support::{Setup, TestServer, messages, recompute};

const ALPHA: f64 = 0.76;
/// What the repository promises to stay under.
const ALL_FILES: u64 = 40_000_000;
const ONE_FILE: u64 = 12_000_000;

fn setup(robust: &str) -> Setup {
    Setup::pair("linear_g", "linear_h")
        .path("models.standard", &repository_path("models/cifar10/standard.toml"))
        .path(
            "models.robust",
            &repository_path(&format!("models/cifar10/{robust}.toml")),
        )
        .with("mixture.alpha", ALPHA)
        .with("runtime.executors", 2)
        .batch_size(16)
        .text("server.max_request_time", "10m")
}

async fn predictions(setup: Setup, images: usize) -> Vec<Prediction> {
    let server = TestServer::start(setup).await;
    let mut client = server.client().await;
    let info = client
        .get_model_info(GetModelInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    for model in [info.standard, info.robust] {
        assert_eq!(model.unwrap().one_row_reason, "");
    }
    let mut answers = Vec::new();
    for images in test_images()[..images].chunks(10) {
        let rows = i64::try_from(images.len()).unwrap();
        let request = messages::predict_request(bytes(&[rows, 3, 32, 32], &images.concat()));
        answers.extend(client.predict(request).await.unwrap().into_inner().predictions);
    }
    answers
}

fn is_certified(prediction: &Prediction) -> bool {
    certificate(prediction).status() == CertificateStatus::Certified
}

fn certified(predictions: &[Prediction]) -> impl Iterator<Item = (&Prediction, &Certificate)> {
    let certified = predictions.iter().filter(|prediction| is_certified(prediction));
    certified.map(|prediction| (prediction, certificate(prediction)))
}

#[test]
fn the_files_stay_small() {
    let files = std::fs::read_dir(repository_path("models/cifar10")).unwrap();
    let sizes: Vec<u64> = files.map(|file| file.unwrap().metadata().unwrap().len()).collect();
    let all: u64 = sizes.iter().sum();
    assert!(all < ALL_FILES, "{all} bytes");
    assert!(sizes.iter().all(|&size| size < ONE_FILE), "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn smoothed_models_are_certified_by_votes() {
    for (robust, sigma) in [("smoothed-025", 0.25), ("smoothed-050", 0.5), ("smoothed-tiny", 0.25)] {
        let predictions = predictions(setup(robust), 20).await;
        let count = certified(&predictions).count();
        assert!(count >= 3, "{robust}: {count} of 20 certified");
        for (_, certificate) in certified(&predictions) {
            assert!((certificate.sigma - sigma).abs() < 1e-12, "{certificate:?}");
            recompute::assert_certificate(certificate, ALPHA);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_lipschitz_model_is_certified_without_votes() {
    let temperature = 0.1;
    let setup = setup("lipschitz").with("mixture.robust_temperature", temperature);
    let predictions = predictions(setup, 100).await;
    let right = predictions
        .iter()
        .zip(test_labels())
        .filter(|(prediction, class)| is_certified(prediction) && prediction.class_index == *class)
        .count();
    assert!(right >= 20, "{right} of 100 right and certified");
    for (prediction, certificate) in certified(&predictions) {
        assert_eq!(certificate.votes, 0);
        assert_eq!(
            certificate.basis(),
            CertificateBasis::Proven,
            "the record beside the model is signed"
        );
        let most = logit_space_radius(&prediction.robust_probabilities, temperature);
        // The constant is at least 1, and the logits' rounding error is taken off: a little less than this, never more.
        assert!(
            certificate.radius <= most * 1.0001 && certificate.radius >= most * 0.95 - 1e-3,
            "{certificate:?}: {most}"
        );
    }
}

/// `T phi / sqrt(2)`, phi of the logit-space certificate, for a 1-Lipschitz vector of logits.
fn logit_space_radius(h: &[f32], temperature: f64) -> f64 {
    let mut h: Vec<f64> = h.iter().map(|&p| f64::from(p)).collect();
    h.sort_by(|a, b| b.total_cmp(a));
    // Not 1 - h: near 1 a float has no digits left.
    let others: f64 = h[1..].iter().sum();
    let phi = ((2.0 * ALPHA - 1.0) * h[0] / ((1.0 - ALPHA) * others + ALPHA * h[1])).ln();
    temperature * phi / std::f64::consts::SQRT_2
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_adversarial_model_proves_nothing_and_says_so() {
    for prediction in predictions(setup("adversarial"), 20).await {
        let certificate = certificate(&prediction);
        assert_eq!(certificate.status(), CertificateStatus::Unavailable);
        assert!(
            certificate.radius == 0.0 && !certificate.reason.is_empty(),
            "{certificate:?}"
        );
    }
}
