//! Certify with the outputs of both models.

use certimix::rpc::proto::{CertificateStatus, CertifyRequest};

use crate::support::messages::{certificate, certify_request, certify_with_votes, floats, violated_fields};
use crate::support::{Setup, TestServer};

const INPUTS: [[f32; 4]; 2] = [[0.25; 4], [-0.4, 0.1, 0.3, -0.2]];

fn smoothed() -> Setup {
    Setup::pair("steep_g", "half_space")
        .batch_size(64)
        .with("certificate.max_votes", 100_000)
}

fn with_outputs(request: CertifyRequest) -> CertifyRequest {
    CertifyRequest {
        include_model_outputs: true,
        ..request
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn votes_come_with_the_certificate_that_counts_them() {
    let server = TestServer::start(smoothed()).await;
    let mut client = server.client().await;
    let request = with_outputs(certify_with_votes(floats(&INPUTS), 300));
    let response = client.certify(request.clone()).await.unwrap().into_inner();
    let mut certified = 0;
    for prediction in &response.predictions {
        let outputs = prediction.model_outputs.as_ref().unwrap();
        let served = certificate(prediction);
        assert_eq!((outputs.standard.len(), outputs.robust.len()), (2, 0));
        assert_eq!(
            (outputs.votes.len() as u64, served.votes_drawn),
            (served.votes_drawn, served.selection_votes + 300)
        );
        assert!(outputs.votes.iter().all(|&number| number <= 2));
        certified += u32::from(served.status() == CertificateStatus::Certified);
        // The certificate counts the votes after the selection, up to its best moment.
        let first = usize::try_from(served.selection_votes).unwrap();
        let last = first + usize::try_from(served.votes).unwrap();
        if served.status() == CertificateStatus::Certified {
            let for_class = outputs.votes[first..last]
                .iter()
                .filter(|&&number| number == prediction.class_index + 1);
            assert_eq!(for_class.count() as u64, served.votes_for_class);
        }
    }
    assert!(certified > 0);
    let without = CertifyRequest {
        include_model_outputs: false,
        ..request
    };
    let response = client.certify(without).await.unwrap().into_inner();
    assert!(
        response
            .predictions
            .iter()
            .all(|prediction| prediction.model_outputs.is_none())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn rows_come_as_the_models_return_them() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let mut client = server.client().await;
    let request = with_outputs(certify_request(floats(&INPUTS)));
    let response = client.certify(request).await.unwrap().into_inner();
    for prediction in &response.predictions {
        let outputs = prediction.model_outputs.as_ref().unwrap();
        let classes = prediction.mixed_logits.len();
        assert_eq!((outputs.standard.len(), outputs.robust.len()), (classes, classes));
        assert!(outputs.votes.is_empty());
        // Both models may return equal logits.
        let largest = |row: &[f32]| row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (standard, robust) = (prediction.standard_class_index, prediction.robust_class_index);
        assert_eq!(outputs.standard[standard as usize], largest(&outputs.standard));
        assert_eq!(outputs.robust[robust as usize], largest(&outputs.robust));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_target_a_stream_and_an_answer_that_is_too_large_are_refused() {
    let server = TestServer::start(smoothed()).await;
    let mut client = server.client().await;
    let request = || with_outputs(certify_request(floats(&INPUTS)));
    let with_target = CertifyRequest {
        target_radius: Some(0.1),
        ..request()
    };
    assert_eq!(
        violated_fields(&client.certify(with_target).await.unwrap_err()),
        ["target_radius"]
    );
    let one_input = with_outputs(certify_request(floats(&INPUTS[..1])));
    assert_eq!(
        violated_fields(&client.certify_stream(one_input).await.unwrap_err()),
        ["include_model_outputs"]
    );
    // 60 inputs with 100,000 votes are more than the 4 MiB of a response.
    let large = with_outputs(certify_with_votes(floats(&[INPUTS[0]; 60]), 100_000));
    let status = client.certify(large).await.unwrap_err();
    assert_eq!(violated_fields(&status), ["inputs.shape"]);
    assert!(status.message().contains("vote_budget"), "{status:?}");
}
