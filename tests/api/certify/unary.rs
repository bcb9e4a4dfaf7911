//! Certify: the caller's own target, votes and failure probability, within the operator's limits.

use certimix::rpc::proto::{BoundMethod, CertificateStatus, CertifyRequest, Prediction, StopReason};

use crate::support::messages::{certificate, certified, certify_request, certify_with_votes, floats, violated_fields};
use crate::support::reference_formulas::{binomial_tail, normal_quantile};
use crate::support::server::Client;
use crate::support::{Setup, TestServer, messages, recompute};

const ALPHA: f64 = 0.76;
/// t = 0.5, two sigma from the border.
const CLEAR_INPUT: [f32; 4] = [0.25; 4];

fn setup() -> Setup {
    Setup::pair("steep_g", "half_space")
        .batch_size(64)
        .with("certificate.max_votes", 20_000)
}

async fn ask(client: &mut Client, request: CertifyRequest) -> Prediction {
    client
        .certify(request)
        .await
        .unwrap()
        .into_inner()
        .predictions
        .remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn orders_beyond_the_limits_are_refused_by_field() {
    let server = TestServer::start(setup().with("certificate.min_failure_probability", 1e-9)).await;
    let mut client = server.client().await;
    let base = || certify_request(floats(&[CLEAR_INPUT]));
    let cases = [
        (
            CertifyRequest {
                vote_budget: Some(0),
                ..base()
            },
            "vote_budget",
        ),
        (
            CertifyRequest {
                vote_budget: Some(20_001),
                ..base()
            },
            "vote_budget",
        ),
        (
            CertifyRequest {
                vote_budget: Some(u64::MAX),
                ..base()
            },
            "vote_budget",
        ),
        (
            CertifyRequest {
                target_radius: Some(0.0),
                ..base()
            },
            "target_radius",
        ),
        (
            CertifyRequest {
                target_radius: Some(-1.0),
                ..base()
            },
            "target_radius",
        ),
        (
            CertifyRequest {
                target_radius: Some(f64::INFINITY),
                ..base()
            },
            "target_radius",
        ),
        (
            CertifyRequest {
                failure_probability: Some(0.0),
                ..base()
            },
            "failure_probability",
        ),
        (
            CertifyRequest {
                failure_probability: Some(1e-10),
                ..base()
            },
            "failure_probability",
        ),
        (
            CertifyRequest {
                failure_probability: Some(0.51),
                ..base()
            },
            "failure_probability",
        ),
        (
            CertifyRequest {
                failure_probability: Some(f64::NAN),
                ..base()
            },
            "failure_probability",
        ),
        (CertifyRequest { bound: 3, ..base() }, "bound"),
    ];
    for (request, field) in cases {
        let status = client.certify(request.clone()).await.unwrap_err();
        assert_eq!(violated_fields(&status), [field], "{request:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_operators_settings_hold_where_the_caller_is_silent() {
    let setup = setup()
        .with("certificate.certify_votes", 321)
        .with("certificate.failure_probability", 0.001);
    let server = TestServer::start(setup.with("certificate.selection_votes", 9)).await;
    let prediction = ask(&mut server.client().await, certify_request(floats(&[CLEAR_INPUT]))).await;
    let found = certified(&prediction);
    assert_eq!(
        (found.votes_drawn, found.selection_votes, found.failure_probability),
        (330, 9, 0.001)
    );
    assert_eq!(
        (found.stop_reason(), found.bound(), found.target_radius),
        (StopReason::VoteBudget, BoundMethod::Anytime, 0.0)
    );
    recompute::assert_certificate(found, ALPHA);
}

/// Clopper-Pearson by its definition: with that bound as the truth, so many votes or more have just the probability delta.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn clopper_pearson_for_a_fixed_number_of_votes() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    for (votes, delta) in [(1, 0.5), (100, 1e-3), (1000, 1e-6)] {
        let order = CertifyRequest {
            bound: BoundMethod::ClopperPearson.into(),
            failure_probability: Some(delta),
            ..certify_with_votes(floats(&[CLEAR_INPUT]), votes)
        };
        let prediction = ask(&mut client, order).await;
        let found = certificate(&prediction);
        assert_eq!((found.votes, found.bound()), (votes, BoundMethod::ClopperPearson));
        assert_eq!(found.stop_reason(), StopReason::VoteBudget);
        let tail = binomial_tail(found.votes_for_class, votes, found.lower_bound);
        assert!((tail / delta - 1.0).abs() < 1e-6, "{tail} is not {delta} for {found:?}");
        if found.status() == CertificateStatus::Certified {
            let formula = 0.25 * (normal_quantile(found.lower_bound) - normal_quantile(0.5 / ALPHA));
            assert!((found.radius + found.snapping_loss - formula).abs() < 1e-9);
        }
        recompute::assert_certificate(found, ALPHA);
    }
}

/// A fixed-number bound says nothing when the target was met earlier, so the loop draws them all.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn clopper_pearson_does_not_stop_at_the_target() {
    let server = TestServer::start(setup()).await;
    let order = CertifyRequest {
        bound: BoundMethod::ClopperPearson.into(),
        target_radius: Some(0.01),
        ..certify_with_votes(floats(&[CLEAR_INPUT]), 2000)
    };
    let prediction = ask(&mut server.client().await, order).await;
    let found = certified(&prediction);
    assert_eq!((found.votes, found.stop_reason()), (2000, StopReason::TargetReached));
    recompute::assert_certificate(found, ALPHA);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_target_within_reach_ends_the_votes() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    let mut votes_before = 0;
    for target in [0.05, 0.15, 0.3] {
        let order = CertifyRequest {
            target_radius: Some(target),
            ..certify_with_votes(floats(&[CLEAR_INPUT]), 20_000)
        };
        let prediction = ask(&mut client, order).await;
        let found = certified(&prediction);
        assert_eq!(found.stop_reason(), StopReason::TargetReached, "{found:?}");
        assert!(found.radius >= target, "{found:?}");
        assert!(found.votes < 20_000 && found.votes >= votes_before, "{found:?}");
        // What must be proven so that the target is left after the way to the grid and the rounding.
        let needed = target + found.snapping_loss;
        assert!(
            found.target_radius > needed && found.target_radius < needed * (1.0 + 1e-14),
            "{found:?}"
        );
        recompute::assert_certificate(found, ALPHA);
        votes_before = found.votes;
    }
}

/// Not a number that overflows on the way to the mathematics, where nobody could name the field.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_target_beyond_all_bounds_is_named() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    for target in [f64::MAX, 1.1e30, f64::INFINITY, f64::NAN, 0.0, -1.0] {
        let order = CertifyRequest {
            target_radius: Some(target),
            ..certify_with_votes(floats(&[CLEAR_INPUT]), 100)
        };
        let refused = client.certify(order).await.unwrap_err();
        assert_eq!(violated_fields(&refused), ["target_radius"], "{target}");
    }
}

/// The true robust radius is 0.398: more can never be proven, and the loop sees it long before the budget is spent.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_target_out_of_reach_ends_the_votes_too() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    for target in [0.6, 5.0, 1e30] {
        let order = CertifyRequest {
            target_radius: Some(target),
            ..certify_with_votes(floats(&[CLEAR_INPUT]), 20_000)
        };
        let prediction = ask(&mut client, order).await;
        let found = certificate(&prediction);
        assert_eq!(found.stop_reason(), StopReason::TargetOutOfReach, "{found:?}");
        assert!(found.votes < 10_000 && found.radius < 0.4, "{found:?}");
        recompute::assert_certificate(found, ALPHA);
    }
}

/// Predict stops at the operator's target, and never beyond the operator's budget.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn predict_follows_the_operators_target() {
    let setup = setup()
        .with("certificate.predict_target_radius", 0.1)
        .with("certificate.predict_votes", 2000);
    let server = TestServer::start(setup).await;
    let request = messages::predict_request(floats(&[CLEAR_INPUT, [0.03125; 4]]));
    let answer = server.client().await.predict(request).await.unwrap().into_inner();
    let reached = certified(&answer.predictions[0]);
    assert_eq!(reached.stop_reason(), StopReason::TargetReached);
    assert!(reached.votes < 2000 && reached.radius >= 0.0999, "{reached:?}");
    let hopeless = certificate(&answer.predictions[1]);
    assert_eq!(hopeless.stop_reason(), StopReason::TargetOutOfReach);
    assert!(hopeless.votes < 2000, "{hopeless:?}");
}

/// More inputs than lanes: each gets its own votes, key and certificate, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_batch_is_certified_input_by_input() {
    let server = TestServer::start(setup()).await;
    let inputs: Vec<[f32; 4]> = (0..11u8).map(|row| [(f32::from(row) - 5.0) / 16.0; 4]).collect();
    let answer = server
        .client()
        .await
        .certify(certify_with_votes(floats(&inputs), 500))
        .await
        .unwrap()
        .into_inner();
    let mut keys = Vec::new();
    for (prediction, x) in answer.predictions.iter().zip(&inputs) {
        let found = certificate(prediction);
        assert_eq!((found.votes_drawn, found.selection_votes), (516, 16));
        assert!(found.votes <= 500);
        recompute::assert_certificate(found, ALPHA);
        keys.push(found.noise_key.clone());
        if found.status() == CertificateStatus::Certified {
            assert_eq!(prediction.label, if x[0] > 0.0 { "yes" } else { "no" });
        }
    }
    let certified = answer
        .predictions
        .iter()
        .filter(|found| certificate(found).radius > 0.0)
        .count();
    assert!((6..11).contains(&certified), "{certified} certified");
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), inputs.len(), "a key was used twice");
}
