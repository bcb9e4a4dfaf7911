//! Certify with the caller's target, vote budget and failure probability, within the operator's
//! limits.

use certimix::rpc::proto::{BoundMethod, CertificateStatus, CertifyRequest, Prediction, StopReason};

use crate::support::messages::{certificate, certified, certify_request, certify_with_votes, floats, violated_fields};
use crate::support::reference_formulas::{binomial_tail, normal_quantile};
use crate::support::server::Client;
use crate::support::{Setup, TestServer, messages, recompute};
use tonic_types::StatusExt as _;

const ALPHA: f64 = 0.76;
/// An input with t = 0.5, which is two sigma from the border.
const TWO_SIGMA_INPUT: [f32; 4] = [0.25; 4];

fn setup() -> Setup {
    Setup::pair("steep_g", "half_space")
        .batch_size(64)
        .with("certificate.max_votes", 20_000)
}

async fn certify_one(client: &mut Client, request: CertifyRequest) -> Prediction {
    client
        .certify(request)
        .await
        .unwrap()
        .into_inner()
        .predictions
        .remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn parameters_beyond_the_limits_are_refused_by_field() {
    let server = TestServer::start(setup().with("certificate.min_failure_probability", 1e-9)).await;
    let mut client = server.client().await;
    let base = || certify_request(floats(&[TWO_SIGMA_INPUT]));
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
async fn unset_parameters_take_the_operators_settings() {
    let setup = setup()
        .with("certificate.certify_votes", 321)
        .with("certificate.failure_probability", 0.001);
    let server = TestServer::start(setup.with("certificate.selection_votes", 9)).await;
    let prediction = certify_one(&mut server.client().await, certify_request(floats(&[TWO_SIGMA_INPUT]))).await;
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

/// The definition of Clopper-Pearson: if the bound were the true share, the probability of at least
/// this many votes would be exactly delta.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn clopper_pearson_bounds_match_their_definition() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    for (votes, delta) in [(1, 0.5), (100, 1e-3), (1000, 1e-6)] {
        let request = CertifyRequest {
            bound: BoundMethod::ClopperPearson.into(),
            failure_probability: Some(delta),
            ..certify_with_votes(floats(&[TWO_SIGMA_INPUT]), votes)
        };
        let prediction = certify_one(&mut client, request).await;
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

/// A bound for a fixed number of votes holds only after all of them, so the loop draws them all
/// even if it reaches the target earlier.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn clopper_pearson_draws_all_votes_despite_a_target() {
    let server = TestServer::start(setup()).await;
    let request = CertifyRequest {
        bound: BoundMethod::ClopperPearson.into(),
        target_radius: Some(0.01),
        ..certify_with_votes(floats(&[TWO_SIGMA_INPUT]), 2000)
    };
    let prediction = certify_one(&mut server.client().await, request).await;
    let found = certified(&prediction);
    assert_eq!((found.votes, found.stop_reason()), (2000, StopReason::TargetReached));
    recompute::assert_certificate(found, ALPHA);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reached_target_ends_the_votes() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    let mut votes_before = 0;
    for target in [0.05, 0.15, 0.3] {
        let request = CertifyRequest {
            target_radius: Some(target),
            ..certify_with_votes(floats(&[TWO_SIGMA_INPUT]), 20_000)
        };
        let prediction = certify_one(&mut client, request).await;
        let found = certified(&prediction);
        assert_eq!(found.stop_reason(), StopReason::TargetReached, "{found:?}");
        assert!(found.radius >= target, "{found:?}");
        assert!(found.votes < 20_000 && found.votes >= votes_before, "{found:?}");
        // The proven radius must leave the target after the snapping loss and the rounding.
        let needed = target + found.snapping_loss;
        assert!(
            found.target_radius > needed && found.target_radius < needed * (1.0 + 1e-14),
            "{found:?}"
        );
        assert_eq!(found.requested_target_radius, target);
        // The radius so far is at most that of a unanimous budget, which is that of 20,000 votes.
        assert!(found.largest_possible_radius >= found.radius, "{found:?}");
        recompute::assert_certificate(found, ALPHA);
        votes_before = found.votes;
    }
}

/// The request check refuses such a target before the mathematics, which could not report the
/// field.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_impossible_target_is_refused_by_field() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    for target in [f64::MAX, 1.1e30, f64::INFINITY, f64::NAN, 0.0, -1.0] {
        let request = CertifyRequest {
            target_radius: Some(target),
            ..certify_with_votes(floats(&[TWO_SIGMA_INPUT]), 100)
        };
        let refused = client.certify(request).await.unwrap_err();
        assert_eq!(violated_fields(&refused), ["target_radius"], "{target}");
    }
}

/// The true robust radius is 0.398, so a larger target cannot be proven. The loop detects this long
/// before the budget is spent, and serves the radius that its votes prove.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_unreachable_target_ends_the_votes() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    for target in [0.5, 0.6] {
        let request = CertifyRequest {
            target_radius: Some(target),
            ..certify_with_votes(floats(&[TWO_SIGMA_INPUT]), 20_000)
        };
        let prediction = certify_one(&mut client, request).await;
        let found = certified(&prediction);
        assert_eq!(found.stop_reason(), StopReason::TargetOutOfReach, "{found:?}");
        assert!(
            found.votes < 10_000 && found.radius < 0.4 && found.radius > 0.2,
            "{found:?}"
        );
        recompute::assert_certificate(found, ALPHA);
    }
}

/// No input can be certified at a target above the limit. The error names the limit, and the server
/// accepts the limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_target_above_the_limit_is_refused_with_the_limit() {
    let server = TestServer::start(setup()).await;
    let mut client = server.client().await;
    let request = |target| CertifyRequest {
        target_radius: Some(target),
        ..certify_with_votes(floats(&[TWO_SIGMA_INPUT]), 200)
    };
    for target in [0.5, 5.0, 1e30] {
        let refused = client.certify(request(target)).await.unwrap_err();
        assert_eq!(violated_fields(&refused), ["target_radius"], "{target}");
        let text = violation_text(&refused);
        let limit = text
            .strip_prefix("expected at most ")
            .and_then(|rest| rest.split(',').next());
        let limit: f64 = limit.unwrap_or_else(|| panic!("{text}")).parse().unwrap();
        assert!((0.2..0.5).contains(&limit) && text.contains("alpha = 0.76"), "{text}");
        client.certify(request(limit)).await.unwrap();
        assert!(client.certify(request(limit * 1.001)).await.is_err());
    }
    // So few votes prove nothing.
    let hopeless = CertifyRequest {
        vote_budget: Some(5),
        ..request(0.1)
    };
    let text = violation_text(&client.certify(hopeless).await.unwrap_err());
    assert!(text.contains("expected more votes"), "{text}");
}

fn violation_text(status: &tonic::Status) -> String {
    let violations = status.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|violation| violation.description).collect()
}

/// Predict stops at the operator's target or budget, whichever comes first.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn predict_follows_the_operators_target() {
    let setup = setup()
        .with("certificate.predict_target_radius", 0.1)
        .with("certificate.predict_votes", 2000);
    let server = TestServer::start(setup).await;
    let request = messages::predict_request(floats(&[TWO_SIGMA_INPUT, [0.03125; 4]]));
    let response = server.client().await.predict(request).await.unwrap().into_inner();
    let reached = certified(&response.predictions[0]);
    assert_eq!(reached.stop_reason(), StopReason::TargetReached);
    assert!(reached.votes < 2000 && reached.radius >= 0.0999, "{reached:?}");
    let unreachable = certificate(&response.predictions[1]);
    assert_eq!(unreachable.stop_reason(), StopReason::TargetOutOfReach);
    assert!(unreachable.votes < 2000, "{unreachable:?}");
}

/// The request has more inputs than vote lanes. Each input gets its own votes, key and certificate,
/// in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_input_of_a_batch_has_its_own_certificate() {
    let server = TestServer::start(setup()).await;
    let inputs: Vec<[f32; 4]> = (0..11u8).map(|row| [(f32::from(row) - 5.0) / 16.0; 4]).collect();
    let response = server
        .client()
        .await
        .certify(certify_with_votes(floats(&inputs), 500))
        .await
        .unwrap()
        .into_inner();
    let mut keys = Vec::new();
    for (prediction, x) in response.predictions.iter().zip(&inputs) {
        let found = certificate(prediction);
        assert_eq!((found.votes_drawn, found.selection_votes), (516, 16));
        assert!(found.votes <= 500);
        recompute::assert_certificate(found, ALPHA);
        keys.push(found.noise_key.clone());
        if found.status() == CertificateStatus::Certified {
            assert_eq!(prediction.label, if x[0] > 0.0 { "yes" } else { "no" });
        }
    }
    let certified = response
        .predictions
        .iter()
        .filter(|found| certificate(found).radius > 0.0)
        .count();
    assert!((6..11).contains(&certified), "{certified} certified");
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), inputs.len(), "a key was used twice");
}
