//! A linear base classifier, for which h and the exact robust radius are known.
//!
//! The base classifier outputs "yes" where `t = (x1 + x2 + x3 + x4) / 2 + 2^-14 > 0`, so `h_yes =
//! Phi(t / sigma)`. Against the worst g the mixture keeps its class while `h_yes - h_no >= (1 -
//! alpha) / alpha`, that is while `t >= sigma Phi^-1(1 / (2 alpha))`. The true radius is the
//! distance of t to this threshold, and the worst attack moves straight to the border. `steep_g` is
//! such a g: it agrees for a large t, and outputs "no" with full confidence once t is below 3/8.

use certimix::rpc::proto::{CertificateStatus, Prediction};

use crate::support::messages::{certificate, certified, certify_with_votes, floats};
use crate::support::reference_formulas::{bisect, normal_cdf, normal_quantile};
use crate::support::server::Client;
use crate::support::{Setup, TestServer, messages, recompute};

const ALPHA: f64 = 0.76;
const SIGMA: f64 = 0.25;
/// The number of grid steps in one unit.
const STEPS: f64 = 4096.0;
/// An input where h is about 0.95 and g outputs "yes".
const X: [f32; 4] = [842.0 / 4096.0; 4];

fn setup() -> Setup {
    Setup::pair("steep_g", "half_space")
        .with("mixture.alpha", ALPHA)
        .batch_size(256)
        .with("certificate.max_votes", 100_000)
        .with("certificate.failure_probability", 1e-4)
        .with("server.max_inputs", 64)
        .with("scheduler.queue_rows", 8192)
}

fn t(x: [f32; 4]) -> f64 {
    x.iter().map(|&value| f64::from(value)).sum::<f64>() / 2.0 + 2.0_f64.powi(-14)
}

fn true_radius(x: [f32; 4]) -> f64 {
    t(x) - SIGMA * normal_quantile(0.5 / ALPHA)
}

/// Moves `x` by `distance` in the direction `to`, and then to the grid.
fn moved(x: [f32; 4], to: [f64; 4], distance: f64) -> [f32; 4] {
    let length = to.iter().map(|value| value * value).sum::<f64>().sqrt();
    std::array::from_fn(|axis| {
        let value = f64::from(x[axis]) + to[axis] / length * distance;
        #[expect(clippy::cast_possible_truncation, reason = "grid values are exact in float32")]
        let snapped = ((value * STEPS).round() / STEPS) as f32;
        snapped
    })
}

fn distance(x: [f32; 4], y: [f32; 4]) -> f64 {
    x.iter()
        .zip(y)
        .map(|(a, b)| (f64::from(*a) - f64::from(b)).powi(2))
        .sum::<f64>()
        .sqrt()
}

async fn certify_one(client: &mut Client, x: [f32; 4], votes: u64) -> Prediction {
    client
        .certify(certify_with_votes(floats(&[x]), votes))
        .await
        .unwrap()
        .into_inner()
        .predictions
        .remove(0)
}

/// No two inputs of this range are farther apart than 1/4, and the votes prove more than that.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_radius_beyond_the_input_range_is_cut_and_its_look_proves_it() {
    let range = ("range = [-1.0, 1.0]", "range = [0.125, 0.25]");
    let setup = setup().edited("models.standard", "steep_g", &[range]).edited(
        "models.robust",
        "half_space",
        &[range, ("levels = 8192", "levels = 512")],
    );
    let server = TestServer::start(setup).await;
    let mut client = server.client().await;
    let prediction = certify_one(&mut client, X, 30_000).await;
    let found = certified(&prediction);
    let diameter = 0.25;
    assert!(found.whole_range, "{found:?}");
    assert!(found.radius <= diameter && found.radius > diameter - 1e-6, "{found:?}");
    let proven = recompute::proven_radius(found, ALPHA);
    assert!(
        proven.radius > diameter && proven.radius < true_radius(X),
        "{found:?} {proven:?}"
    );
    assert_eq!(found.lower_bound, proven.p_lower.value());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_certified_radius_approaches_the_true_radius_from_below() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    let truth = true_radius(X);
    assert!((truth - 0.3096).abs() < 1e-3, "{truth}");
    let mut gaps = Vec::new();
    for votes in [300, 3000, 30_000, 100_000] {
        let prediction = certify_one(&mut client, X, votes).await;
        let found = certified(&prediction);
        assert_eq!(prediction.label, "yes");
        recompute::assert_certificate(found, ALPHA);
        gaps.push(truth - found.radius);
        // The share of votes equals h within six standard deviations.
        let share = f64::from(prediction.robust_probabilities[1]);
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let deviation = (0.05 / found.votes as f64).sqrt();
        assert!((share - normal_cdf(t(X) / SIGMA)).abs() < 6.0 * deviation, "{share}");
    }
    assert!(gaps.iter().all(|&gap| gap > 0.0), "above the true radius: {gaps:?}");
    assert!(gaps.is_sorted_by(|a, b| a > b), "the gap does not shrink: {gaps:?}");
    assert!(
        gaps[2] < 0.06 * truth && gaps[3] < 0.035 * truth,
        "too far below: {gaps:?} of {truth}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_attack_just_outside_the_true_radius_succeeds() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    let clean = certify_one(&mut client, X, 20_000).await;
    assert_eq!(
        (
            clean.label.as_str(),
            clean.standard_class_index,
            clean.robust_class_index
        ),
        ("yes", 1, 1)
    );
    for beyond in [1.05, 1.1, 1.2] {
        let attacked = moved(X, [-1.0; 4], beyond * true_radius(X));
        let broken = certify_one(&mut client, attacked, 20_000).await;
        assert_eq!(broken.label, "no", "at {beyond} of the true radius: {broken:?}");
        assert_eq!(certificate(&broken).status(), CertificateStatus::Abstained);
        // The attack changes g only: h still outputs "yes".
        assert_eq!((broken.standard_class_index, broken.robust_class_index), (0, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_attack_inside_the_certified_radius_succeeds() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    let radius = certified(&certify_one(&mut client, X, 50_000).await).radius;
    let directions = [
        [-1.0; 4],
        [-1.0, -1.0, -1.0, -0.5],
        [-1.0, -0.5, -0.25, -2.0],
        [1.0, -1.0, -1.0, -1.0],
        [1.0; 4],
    ];
    let mut changed_g = 0;
    for to in directions {
        for part in [0.3, 0.6, 0.9, 0.99] {
            let attacked = moved(X, to, part * radius);
            assert!(distance(X, attacked) < radius);
            let response = certify_one(&mut client, attacked, 20_000).await;
            assert_eq!(response.label, "yes", "{part} of {radius} towards {to:?}: {response:?}");
            changed_g += usize::from(response.standard_class_index == 0);
        }
    }
    assert!(changed_g > 10, "the attacks rarely change g, so they test little");
}

/// Along a line across the border, no certificate exceeds the true radius on either side.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_certificate_exceeds_the_true_radius() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    let line: Vec<[f32; 4]> = (-20..=20i16)
        .map(|step| [f32::from(step) / 64.0, 0.125, -0.125, 0.0])
        .collect();
    let request = certify_with_votes(floats(&line), 3000);
    let predictions = client.certify(request).await.unwrap().into_inner().predictions;
    let certified = predictions
        .iter()
        .filter(|prediction| certificate(prediction).radius > 0.0)
        .count();
    for (prediction, &x) in predictions.iter().zip(&line) {
        let truth = t(x).abs() - SIGMA * normal_quantile(0.5 / ALPHA);
        let found = certificate(prediction);
        assert!(
            found.radius <= truth.max(0.0),
            "{} at t = {}, where {truth} is true",
            found.radius,
            t(x)
        );
        if found.status() == CertificateStatus::Certified {
            assert_eq!(prediction.label, if t(x) > 0.0 { "yes" } else { "no" });
        }
    }
    assert!(certified > 5, "{certified} certified");
}

/// With three classes the path to the border passes through the middle class, and both bounds
/// matter.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_certificate_of_three_classes_exceeds_the_true_radius() {
    let setup = setup().path("models.standard", &crate::support::fixture("linear_g"));
    let server = TestServer::start(setup.path("models.robust", &crate::support::fixture("two_borders"))).await;
    let mut client = server.client().await;
    // The smallest margin of "right" over the other classes at t, against the worst g.
    let margin = |t: f64| {
        let (right, left) = (normal_cdf((t - 0.125) / SIGMA), normal_cdf((-t - 0.125) / SIGMA));
        right - left.max(1.0 - right - left) - (1.0 - ALPHA) / ALPHA
    };
    let mut certified = 0;
    for step in [20, 25, 30, 35, 40i16] {
        let x = [f32::from(step) / 64.0, 0.25, 0.25, 0.25];
        let prediction = certify_one(&mut client, x, 20_000).await;
        let found = certificate(&prediction);
        recompute::assert_certificate(found, ALPHA);
        // The margin decreases towards the border at t = 1/8.
        let truth = bisect(0.0, t(x), |r| margin(t(x) - r) > 0.0);
        assert!(
            found.radius <= truth,
            "{} where {truth} is true: {found:?}",
            found.radius
        );
        if found.radius > 0.0 {
            assert_eq!(prediction.label, "right");
            certified += 1;
        }
    }
    assert!(certified >= 3, "{certified} certified");
    let undecided = client
        .predict(messages::predict_request(floats(&[[0.0625; 4]])))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(certificate(&undecided.predictions[0]).radius, 0.0);
}
