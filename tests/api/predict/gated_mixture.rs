//! The gated mixture through the server: `fallback_alpha` weighs the robust model where its margin is
//! too small, and changes nothing else.

use certimix::rpc::proto::{CertificateStatus, Prediction, Provenance};

use crate::support::messages::{certificate, certify_with_votes, floats, predict_request};
use crate::support::reference_formulas::{
    argmax, assert_close, g_logits, h_logits, mixed_logits, robust_weight, softmax,
};
use crate::support::{Setup, TestServer};

const ALPHA: f64 = 0.76;
const FALLBACK_ALPHAS: [f64; 4] = [0.0, 0.1, 0.5, ALPHA];

/// Inputs on a lattice. At alpha 0.76 the margin of `linear_h` is large enough for some of them only.
fn inputs() -> Vec<[f32; 4]> {
    let levels = [-0.85, -0.3, 0.1, 0.55, 0.95];
    let pairs = levels.iter().flat_map(|&a| levels.iter().map(move |&b| (a, b)));
    pairs.map(|(a, b)| [a, b, -0.2, a * b]).collect()
}

fn setup(robust: &str) -> Setup {
    let standard = if robust == "half_space" { "steep_g" } else { "linear_g" };
    Setup::pair(standard, robust)
        .with("mixture.alpha", ALPHA)
        .with("server.max_inputs", 64)
        .batch_size(16)
}

fn gated(robust: &str, fallback_alpha: f64) -> Setup {
    setup(robust).with("mixture.fallback_alpha", fallback_alpha)
}

async fn predict(setup: Setup) -> (Vec<Prediction>, Provenance) {
    let server = TestServer::start(setup).await;
    let request = predict_request(floats(&inputs()));
    let response = server.client().await.predict(request).await.unwrap().into_inner();
    (response.predictions, response.provenance.unwrap())
}

/// Predictions by votes. The servers have one noise secret, so equal requests draw equal votes.
async fn certify(setup: Setup) -> Vec<Prediction> {
    let server = TestServer::start(
        setup
            .text("certificate.bound", "clopper_pearson")
            .with("certificate.selection_votes", 8)
            .with("certificate.failure_probability", 0.01),
    )
    .await;
    let mut client = server.client().await;
    let mut predictions = Vec::new();
    for input in inputs() {
        let request = certify_with_votes(floats(&[input]), 32);
        predictions.extend(client.certify(request).await.unwrap().into_inner().predictions);
    }
    predictions
}

fn is_certified(prediction: &Prediction) -> bool {
    certificate(prediction).status() == CertificateStatus::Certified
}

/// Both rules must occur, or the test shows nothing.
#[track_caller]
fn assert_both_occur(predictions: &[Prediction]) {
    let certified = predictions.iter().filter(|prediction| is_certified(prediction)).count();
    assert!(
        (3..predictions.len() - 2).contains(&certified),
        "{certified} of {} are certified",
        predictions.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_weight_follows_the_margin() {
    for fallback_alpha in FALLBACK_ALPHAS {
        let (predictions, provenance) = predict(gated("linear_h", fallback_alpha)).await;
        assert_eq!(
            (provenance.alpha, provenance.fallback_alpha),
            (ALPHA, Some(fallback_alpha))
        );
        assert_both_occur(&predictions);
        for (prediction, x) in predictions.iter().zip(inputs()) {
            let (g, h) = (softmax(&g_logits(x)), softmax(&h_logits(x)));
            let weight = robust_weight(ALPHA, fallback_alpha, &h);
            let mixed = mixed_logits(weight, &g, &h);
            assert_eq!(prediction.robust_weight, Some(weight), "{x:?}");
            assert_close(&prediction.mixed_logits, &mixed, 1e-5);
            assert_eq!(prediction.class_index as usize, argmax(&mixed), "{x:?}");
            if is_certified(prediction) {
                assert_eq!(weight, ALPHA);
                assert_eq!(prediction.class_index, prediction.robust_class_index);
            } else if fallback_alpha == 0.0 && weight == 0.0 {
                assert_eq!(prediction.class_index, prediction.standard_class_index);
            }
        }
    }
}

/// The paper's mixture is the default, and `fallback_alpha = alpha` gives the same answers to the
/// bit.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn equal_weights_are_the_papers_mixture_to_the_bit() {
    for robust in ["linear_h", "softmax_h", "linear_h_linf", "linear_h_unproven"] {
        let (paper, provenance) = predict(setup(robust)).await;
        let (equal, _) = predict(gated(robust, ALPHA)).await;
        assert_eq!(provenance.fallback_alpha, Some(ALPHA));
        assert!(paper.iter().all(|prediction| prediction.robust_weight == Some(ALPHA)));
        assert_same_bits(&paper, &equal);
    }
    let paper = certify(setup("half_space")).await;
    assert_both_occur(&paper);
    assert_same_bits(&paper, &certify(gated("half_space", ALPHA)).await);
}

#[track_caller]
fn assert_same_bits(left: &[Prediction], right: &[Prediction]) {
    let bits = |predictions: &[Prediction]| -> Vec<u32> {
        let logits = predictions.iter().flat_map(|prediction| &prediction.mixed_logits);
        logits.map(|logit| logit.to_bits()).collect()
    };
    assert_eq!(bits(left), bits(right));
    assert_eq!(left, right);
}

/// For each kind of certificate: the certificates are the same for every `fallback_alpha`, and so are
/// the classes of certified answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_certificate_depends_on_fallback_alpha() {
    for robust in ["linear_h", "softmax_h", "linear_h_linf"] {
        let (paper, _) = predict(setup(robust)).await;
        assert_both_occur(&paper);
        for fallback_alpha in FALLBACK_ALPHAS {
            let (gated, _) = predict(gated(robust, fallback_alpha)).await;
            assert_same_certificates(&paper, &gated);
        }
    }
    let paper = certify(setup("half_space")).await;
    for fallback_alpha in [0.0, 0.3] {
        assert_same_certificates(&paper, &certify(gated("half_space", fallback_alpha)).await);
    }
}

#[track_caller]
fn assert_same_certificates(paper: &[Prediction], gated: &[Prediction]) {
    assert_eq!(paper.len(), gated.len());
    for (paper, gated) in paper.iter().zip(gated) {
        assert_eq!(paper.certificate, gated.certificate);
        assert_eq!(paper.robust_probabilities, gated.robust_probabilities);
        if is_certified(paper) {
            assert_eq!(paper, gated);
            assert_eq!(gated.robust_weight, Some(ALPHA));
        }
    }
}

/// The weight of a smoothed model follows the margin of the shares of the votes, certified or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_weight_of_a_smoothed_model_follows_the_shares() {
    let predictions = certify(gated("half_space", 0.125)).await;
    assert_both_occur(&predictions);
    let mut by_weight = [0, 0];
    for prediction in &predictions {
        let h: Vec<f64> = prediction
            .robust_probabilities
            .iter()
            .map(|&share| f64::from(share))
            .collect();
        let g: Vec<f64> = prediction
            .standard_probabilities
            .iter()
            .map(|&p| f64::from(p))
            .collect();
        let weight = robust_weight(ALPHA, 0.125, &h);
        assert_eq!(prediction.robust_weight, Some(weight));
        // Probabilities are compared, because a logit may stand for a probability of 0.
        let mixed: Vec<f64> = g.iter().zip(&h).map(|(g, h)| (1.0 - weight) * g + weight * h).collect();
        let found: Vec<f32> = prediction.mixed_logits.iter().map(|logit| logit.exp()).collect();
        assert_close(&found, &mixed, 1e-6);
        if is_certified(prediction) {
            assert_eq!(weight, ALPHA, "the shares of a certified answer have the margin");
        } else {
            by_weight[usize::from(weight == ALPHA)] += 1;
        }
    }
    assert!(
        by_weight.iter().all(|&count| count > 0),
        "{by_weight:?} of the uncertified answers"
    );
}
