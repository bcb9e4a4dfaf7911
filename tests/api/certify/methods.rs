//! Each certification method, against an independent formula and against the crate's function.

use std::f64::consts::SQRT_2;

use certimix::certificate::{Alpha, LogitConstant, Temperature, logit_radius, radius_sq_levels, theorem1_radius};
use certimix::rpc::proto::{
    AbstentionReason, Certificate, CertificateMethod, CertificateStatus, Norm, Prediction, StopReason,
};

use crate::support::reference_formulas::{LINF_H_WEIGHTS, h_logits, linear, normal_quantile, softmax};
use crate::support::{Setup, TestServer, messages, recompute};

const ALPHA: f64 = 0.8;
const X: [f32; 4] = [0.75, -0.5, -0.25, 0.5];

async fn first_prediction(setup: Setup, x: [f32; 4]) -> Prediction {
    let server = TestServer::start(setup).await;
    let response = server
        .client()
        .await
        .predict(messages::predict_request(messages::floats(&[x])))
        .await
        .unwrap()
        .into_inner();
    response.predictions.into_iter().next().unwrap()
}

fn alpha() -> Alpha {
    Alpha::new(ALPHA).unwrap()
}

/// Returns `ln[(2 alpha - 1) h_y / ((1 - alpha)(1 - h_y) + alpha h_i)]`, where i is the runner-up.
fn certified_logit_margin(h: &[f64]) -> f64 {
    let mut sorted = h.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    ((2.0 * ALPHA - 1.0) * sorted[0] / ((1.0 - ALPHA) * (1.0 - sorted[0]) + ALPHA * sorted[1])).ln()
}

fn as_served(logits: &[f64]) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "the model outputs float32")]
    logits.iter().map(|&z| z as f32).collect()
}

/// The radius is that of the formula, less at most `waste` for the rounding error in the manifest.
#[track_caller]
fn assert_radius(prediction: &Prediction, formula: f64, computed: f64, waste: f64) {
    let radius = messages::certified(prediction).radius;
    assert!(radius <= formula, "{radius} is more than {formula}");
    assert!(radius >= formula - waste, "{radius} is far less than {formula}");
    assert!((radius - computed).abs() < 1e-6, "{radius} is not {computed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn lipschitz_probabilities_use_theorem_1() {
    let prediction = first_prediction(Setup::pair("linear_g", "softmax_h").with("mixture.alpha", ALPHA), X).await;
    let certificate = messages::certified(&prediction);
    assert_eq!(certificate.method(), CertificateMethod::Theorem1);
    assert_eq!(certificate.norm(), Norm::L2);
    assert_eq!(certificate.stop_reason(), StopReason::NotSampled);
    assert_eq!(
        (
            certificate.failure_probability,
            certificate.votes,
            certificate.noise_key.len()
        ),
        (0.0, 0, 0)
    );
    let h = softmax(&h_logits(X));
    let formula = (ALPHA * (h[0] - h[1].max(h[2])) + ALPHA - 1.0) / (ALPHA * 2.0 * 1.4143);
    let computed = theorem1_radius(alpha(), &h, &[1.4143; 3], 1e-6, None).unwrap();
    assert_radius(&prediction, formula, computed, 3e-6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_neighbourhood_limits_the_radius_of_theorem_1() {
    let edits = [(
        "probability_error_bound",
        "neighbourhood = 0.0625\nprobability_error_bound",
    )];
    let setup = Setup::pair("linear_g", "softmax_h").edited("models.robust", "softmax_h", &edits);
    let radius = messages::certified(&first_prediction(setup.with("mixture.alpha", ALPHA), X).await).radius;
    assert!(radius <= 0.0625 && radius > 0.0624, "{radius}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lipschitz_logit_vector_gives_an_l2_radius() {
    for temperature in [1.0, 0.5] {
        let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", ALPHA);
        let prediction = first_prediction(setup.with("mixture.robust_temperature", temperature), X).await;
        let certificate = messages::certified(&prediction);
        assert_eq!(certificate.method(), CertificateMethod::LogitLipschitz);
        assert_eq!(certificate.norm(), Norm::L2);
        // The input range is [-1, 1], so the values are no pixels and there is no integer radius.
        assert_eq!(certificate.radius_sq_levels, 0);
        let z = h_logits(X);
        let h = softmax(&z.iter().map(|z| z / temperature).collect::<Vec<_>>());
        let formula = temperature * certified_logit_margin(&h) / (SQRT_2 * 4.0);
        let t = Temperature::new(temperature).unwrap();
        let computed = logit_radius(alpha(), &as_served(&z), t, LogitConstant::Vector(4.0), 1e-5).unwrap();
        assert_radius(&prediction, formula, computed, 1e-5);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn lipschitz_logits_in_linf_give_an_linf_radius() {
    let prediction = first_prediction(
        Setup::pair("linear_g", "linear_h_linf").with("mixture.alpha", ALPHA),
        [1.0, 0.0, -0.5, -1.0],
    )
    .await;
    let certificate = messages::certified(&prediction);
    assert_eq!(certificate.method(), CertificateMethod::LogitLipschitz);
    assert_eq!(certificate.norm(), Norm::Linf);
    let z = linear(&LINF_H_WEIGHTS, &[0.0; 3], [1.0, 0.0, -0.5, -1.0]);
    let formula = certified_logit_margin(&softmax(&z)) / 8.0;
    let constant = LogitConstant::PerLogit(4.0);
    let computed = logit_radius(alpha(), &as_served(&z), Temperature::ONE, constant, 1e-5).unwrap();
    assert_radius(&prediction, formula, computed, 1e-5);
}

/// For pixels the response also has the radius as an integer, in squared levels.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn pixels_also_get_a_radius_in_squared_levels() {
    let server = TestServer::start(Setup::pair("image_g", "image_h")).await;
    let image: Vec<u8> = (0..192).map(|value| if value < 64 { 250 } else { 60 }).collect();
    let request = messages::predict_request(messages::bytes(&[1, 3, 8, 8], &image));
    let response = server.client().await.predict(request).await.unwrap().into_inner();
    let certificate = messages::certified(&response.predictions[0]);
    // The network receives u / 255 as float32, with an error of up to 2^-25 at each end.
    let covered = certificate.radius - 2.0 * 192.0_f64.sqrt() * 2.0_f64.powi(-25);
    assert_eq!(Some(certificate.radius_sq_levels), radius_sq_levels(covered, 255));
    #[expect(clippy::cast_precision_loss, reason = "a small integer")]
    let levels = certificate.radius_sq_levels as f64;
    assert!(levels > 0.0 && levels.sqrt() / 255.0 < certificate.radius);
    assert!((levels + 1.0).sqrt() / 255.0 >= covered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn smoothing_uses_the_tight_radius_or_theorem_2() {
    let x = [0.25; 4];
    let mut radii = Vec::new();
    for (name, method) in [
        ("tight", CertificateMethod::Tight),
        ("theorem2", CertificateMethod::Theorem2),
    ] {
        let setup = Setup::pair("steep_g", "half_space")
            .text("certificate.radius", name)
            .with("mixture.alpha", ALPHA);
        let prediction = first_prediction(setup, x).await;
        let certificate = messages::certified(&prediction);
        assert_eq!((certificate.method(), certificate.norm()), (method, Norm::L2));
        assert_eq!(
            (certificate.votes_drawn, certificate.selection_votes, certificate.sigma),
            (256, 16, 0.25)
        );
        assert!(certificate.votes <= 240, "{certificate:?}");
        assert_eq!(certificate.failure_probability, 1e-6);
        recompute::assert_certificate(certificate, ALPHA);
        let p = certificate.lower_bound;
        let formula = match method {
            CertificateMethod::Tight => 0.25 * (normal_quantile(p) - normal_quantile(0.5 / ALPHA)),
            _ => 0.25 * normal_quantile(ALPHA * p),
        };
        assert_formula_less_snapping_loss(certificate, formula);
        radii.push(certificate.radius);
    }
    assert!(radii[0] > radii[1], "{radii:?}");
}

/// In the middle of three classes the leader has under half of the votes. Only a separate bound on
/// the runner-up proves a radius.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn smoothing_uses_two_bounds_below_half_of_the_votes() {
    let setup = Setup::pair("linear_g", "two_borders")
        .with("mixture.alpha", 1.0)
        .with("certificate.selection_votes", 2000)
        .with("certificate.predict_votes", 40_000)
        .batch_size(256)
        .with("scheduler.queue_rows", 8192);
    let prediction = first_prediction(setup, [0.0; 4]).await;
    let certificate = messages::certified(&prediction);
    assert_eq!(prediction.label, "middle");
    assert!(
        certificate.two_sided && certificate.lower_bound < 0.5,
        "{certificate:?}"
    );
    assert!(certificate.upper_bound < certificate.lower_bound, "{certificate:?}");
    recompute::assert_certificate(certificate, 1.0);
    let formula = 0.125 * (normal_quantile(certificate.lower_bound) - normal_quantile(certificate.upper_bound));
    assert_formula_less_snapping_loss(certificate, formula);
    // The middle is 1/8 from both borders, so no larger radius is true.
    assert!(certificate.radius < 0.125);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_unproven_model_certifies_nothing_and_gives_a_reason() {
    let prediction = first_prediction(Setup::pair("linear_g", "linear_h_unproven"), X).await;
    let certificate = messages::certificate(&prediction);
    assert_eq!(certificate.status(), CertificateStatus::Unavailable);
    assert_eq!(
        (certificate.radius, certificate.norm(), certificate.method()),
        (0.0, Norm::Unspecified, CertificateMethod::Unspecified)
    );
    assert!(
        certificate.reason.contains("nothing is proven"),
        "{}",
        certificate.reason
    );
    assert_eq!(prediction.class_index, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_alpha_of_at_most_one_half_certifies_nothing_and_gives_a_reason() {
    for (standard, robust) in [
        ("linear_g", "linear_h"),
        ("linear_g", "softmax_h"),
        ("steep_g", "half_space"),
    ] {
        for (alpha, why) in [(0.499, "0.499"), (0.5, "exactly 1/2")] {
            let prediction =
                first_prediction(Setup::pair(standard, robust).with("mixture.alpha", alpha), [0.5; 4]).await;
            let certificate = messages::certificate(&prediction);
            assert_eq!(certificate.status(), CertificateStatus::Unavailable, "{robust}");
            assert_eq!((certificate.radius, certificate.method), (0.0, 0));
            assert!(certificate.reason.contains(why), "{}", certificate.reason);
        }
    }
}

/// A manifest with a huge error bound, for "unknown", was once served with the radius 1.8e308.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_huge_error_bound_certifies_nothing() {
    let edits = [("logit_error_bound = 1e-5", "logit_error_bound = 1e6")];
    let setup = Setup::pair("linear_g", "linear_h").edited("models.robust", "linear_h", &edits);
    let prediction = first_prediction(setup, X).await;
    assert_eq!(
        messages::certificate(&prediction).status(),
        CertificateStatus::Abstained
    );
    for bound in ["1e308", "1.1e6", "inf", "nan", "-1.0"] {
        let edits = [("logit_error_bound = 1e-5", format!("logit_error_bound = {bound}"))];
        let edits = edits.each_ref().map(|(old, new)| (*old, new.as_str()));
        let setup = Setup::pair("linear_g", "linear_h").edited("models.robust", "linear_h", &edits);
        let mut server = TestServer::listen(setup);
        assert!(!server.ready().await);
        let error = server.stop().await.unwrap_err().to_string();
        assert!(error.contains("guarantee.logit_error_bound"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_undecided_input_gives_an_abstention_with_a_reason() {
    for (standard, robust) in [
        ("linear_g", "linear_h"),
        ("linear_g", "softmax_h"),
        ("steep_g", "half_space"),
    ] {
        let prediction = first_prediction(Setup::pair(standard, robust), [0.0; 4]).await;
        let certificate = messages::certificate(&prediction);
        assert_eq!(certificate.status(), CertificateStatus::Abstained, "{robust}");
        assert_eq!((certificate.radius, certificate.radius_sq_levels), (0.0, 0));
        let needed = if robust == "half_space" {
            "a certificate needs more than 0.6579"
        } else {
            "(1 - alpha) / alpha"
        };
        assert!(certificate.reason.contains(needed), "{}", certificate.reason);
        assert_eq!(
            certificate.abstention_reason(),
            AbstentionReason::RobustModelUnsure,
            "{certificate:?}"
        );
        let logits: Vec<f64> = prediction.mixed_logits.iter().map(|&f| f64::from(f)).collect();
        assert_eq!(
            prediction.class_index as usize,
            crate::support::reference_formulas::argmax(&logits)
        );
    }
}

/// The radius of a FLOAT32 input is the formula's, less the loss of snapping to the grid.
#[track_caller]
fn assert_formula_less_snapping_loss(certificate: &Certificate, formula: f64) {
    let before = certificate.radius + certificate.snapping_loss;
    assert!(certificate.snapping_loss > 0.0, "{certificate:?}");
    assert!((before - formula).abs() < 1e-9, "{before} is not {formula}");
}
