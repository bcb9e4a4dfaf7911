//! An answer without a certificate: its reason, its class, and its votes.

use certimix::rpc::proto::{AbstentionReason, Certificate, CertificateStatus, ClassSource, Prediction, StopReason};

use crate::support::messages::{certificate, certified, certify_with_votes, floats, predict_request};
use crate::support::server::Client;
use crate::support::{Setup, TestServer};

/// The probability of the class is Phi(1/4) = 0.6, which is too little for alpha = 0.76.
const UNSURE_INPUT: [f32; 4] = [0.03125; 4];
/// An input two sigma from the border.
const TWO_SIGMA_INPUT: [f32; 4] = [0.25; 4];

fn setup(alpha: f64) -> Setup {
    Setup::pair("steep_g", "half_space")
        .batch_size(4)
        .with("mixture.alpha", alpha)
        .with("certificate.predict_votes", 400)
        .with("certificate.predict_target_radius", 0.1)
}

async fn predict(client: &mut Client, input: [f32; 4]) -> Prediction {
    let request = predict_request(floats(&[input]));
    client
        .predict(request)
        .await
        .unwrap()
        .into_inner()
        .predictions
        .remove(0)
}

#[track_caller]
fn abstained(prediction: &Prediction) -> &Certificate {
    let found = certificate(prediction);
    assert_eq!((found.status(), found.radius), (CertificateStatus::Abstained, 0.0));
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_reason_begins_with_the_stop_and_names_what_was_missing() {
    let server = TestServer::start(setup(0.76)).await;
    let prediction = predict(&mut server.client().await, UNSURE_INPUT).await;
    let found = abstained(&prediction);
    let reason = &found.reason;
    assert!(
        reason.starts_with("target radius 0.1") || reason.starts_with("the vote budget of 400"),
        "{reason}"
    );
    assert!(reason.contains("needs more than 0.6579 at alpha = 0.76"), "{reason}");
    assert!(
        matches!(
            found.abstention_reason(),
            AbstentionReason::RobustModelUnsure | AbstentionReason::TooFewVotes
        ),
        "{found:?}"
    );

    let request = certify_with_votes(floats(&[TWO_SIGMA_INPUT]), 10);
    let response = server.client().await.certify(request).await.unwrap();
    let found = abstained(&response.get_ref().predictions[0]);
    assert_eq!(found.abstention_reason(), AbstentionReason::TooFewVotes, "{found:?}");
    assert!(
        found.reason.starts_with("the vote budget of 10 is drawn: ")
            && found.reason.contains("votes in these proportions"),
        "{found:?}"
    );
}

/// A certified prediction names no abstention, and its class comes from its certificate.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_certified_prediction_has_no_reason() {
    let server = TestServer::start(setup(0.76)).await;
    let prediction = predict(&mut server.client().await, TWO_SIGMA_INPUT).await;
    let found = certified(&prediction);
    assert_eq!(found.abstention_reason(), AbstentionReason::Unspecified);
    assert_eq!(found.reason, "");
    assert_eq!(prediction.class_source(), ClassSource::Certificate);
}

/// Identical calls without a certificate have one class: that of the mixture where the votes settle
/// it, or else that of the standard model, and then the reason says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn identical_calls_without_a_certificate_agree() {
    let server = TestServer::start(setup(0.76)).await;
    let mut client = server.client().await;
    for input in [UNSURE_INPUT, [0.0; 4], [-0.02; 4]] {
        let mut classes = Vec::new();
        for _ in 0..5 {
            let prediction = predict(&mut client, input).await;
            let found = abstained(&prediction);
            let from_standard = prediction.class_source() == ClassSource::StandardModel;
            assert_eq!(
                found.reason.contains("that of the standard model"),
                from_standard,
                "{found:?}"
            );
            if from_standard {
                assert_eq!(prediction.class_index, prediction.standard_class_index);
            } else {
                assert_eq!(prediction.class_source(), ClassSource::Mixture);
                let logits = &prediction.mixed_logits;
                let largest = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
                assert_eq!(largest, Some(prediction.class_index as usize));
            }
            classes.push(prediction.class_index);
        }
        classes.dedup();
        assert_eq!(classes.len(), 1, "{input:?}: {classes:?}");
    }
}

/// At an alpha that certifies nothing, the votes end once they settle the class.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_alpha_without_certificates_draws_votes_for_the_class_only() {
    for alpha in [0.5, 0.3] {
        let server = TestServer::start(setup(alpha)).await;
        let mut client = server.client().await;
        for input in [UNSURE_INPUT, TWO_SIGMA_INPUT, [0.0; 4]] {
            let prediction = predict(&mut client, input).await;
            let found = certificate(&prediction);
            assert_eq!(found.status(), CertificateStatus::Unavailable);
            assert_eq!(found.stop_reason(), StopReason::ClassSettled, "{found:?}");
            assert!(found.votes_drawn <= 64, "{found:?}");
            assert!(found.reason.contains("1/2"), "{found:?}");
            assert_ne!(prediction.class_source(), ClassSource::Certificate);
        }
    }
}

/// The operator's target is above what its votes can prove. It is capped, and still reached.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_target_of_predict_is_capped() {
    let server = TestServer::start(setup(0.76).with("certificate.predict_target_radius", 5.0)).await;
    let mut client = server.client().await;
    let info = client
        .get_model_info(certimix::rpc::proto::GetModelInfoRequest {})
        .await;
    let limits = info.unwrap().into_inner().certification.unwrap();
    assert_eq!(limits.predict_target_radius, 5.0);
    assert!(
        limits.largest_predict_target > 0.2 && limits.largest_predict_target < 0.5,
        "{limits:?}"
    );
    assert!((limits.predict_target_in_force / limits.largest_predict_target - 0.75).abs() < 1e-9);
    // Ten sigma from the border: every vote is for the class.
    let prediction = predict(&mut client, [1.0; 4]).await;
    let found = certified(&prediction);
    assert_eq!(found.stop_reason(), StopReason::TargetReached);
    assert!(
        found.radius >= limits.predict_target_in_force && found.votes < 400,
        "{found:?}"
    );
}
