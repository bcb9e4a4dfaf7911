//! GetModelInfo reports the models, their guarantees and the limits of the server.

use certimix::rpc::proto::{BoundMethod, CertificateMethod, GetModelInfoRequest, GetModelInfoResponse, Norm};

use crate::support::{Setup, TestServer};

async fn info(setup: Setup) -> GetModelInfoResponse {
    let server = TestServer::start(setup).await;
    server
        .client()
        .await
        .get_model_info(GetModelInfoRequest {})
        .await
        .unwrap()
        .into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_smoothed_model_reports_its_grid_and_limits() {
    let setup = Setup::pair("pixels_g", "pixels_h")
        .with("certificate.max_votes", 5000)
        .with("certificate.certify_votes", 500)
        .with("certificate.predict_votes", 100)
        .with("certificate.predict_target_radius", 0.125)
        .text("certificate.bound", "clopper_pearson")
        .text("certificate.radius", "theorem2")
        .with("server.max_inputs", 9)
        .with("server.max_message_bytes", 123_456)
        .with("runtime.executors", 2)
        .batch_size(8);
    let info = info(setup).await;
    assert_eq!(info.labels, ["no", "yes"]);
    assert_eq!((info.norm(), info.method()), (Norm::L2, CertificateMethod::Theorem2));
    assert_eq!((info.max_inputs, info.max_message_bytes), (9, 123_456));
    assert!(info.unavailable_reason.is_empty());
    assert!(info.largest_possible_radius > 0.0);
    let input = info.input.unwrap();
    assert_eq!(
        (input.name.as_str(), input.shape, input.low, input.high),
        ("input", vec![4], 0.0, 1.0)
    );
    assert!(input.accepts_uint8);
    assert_eq!(input.grid_step, 1.0 / 255.0);
    let limits = info.certification.unwrap();
    assert_eq!(
        (limits.max_votes, limits.default_votes, limits.predict_votes),
        (5000, 500, 100)
    );
    assert_eq!(
        (limits.predict_target_radius, limits.bound()),
        (0.125, BoundMethod::ClopperPearson)
    );
    let (standard, robust) = (info.standard.unwrap(), info.robust.unwrap());
    assert_eq!((standard.name.as_str(), robust.name.as_str()), ("pixels_g", "pixels_h"));
    assert_eq!((standard.provider.as_str(), robust.provider.as_str()), ("cpu", "cpu"));
    assert_eq!(
        (standard.guarantee.as_str(), robust.guarantee.as_str()),
        ("none", "gaussian_smoothing")
    );
    assert_eq!((standard.sessions, robust.sessions, robust.max_batch_size), (2, 2, 8));
    assert!(robust.guarantee_source.contains("make_fixtures.py"));
}

/// The ONNX Runtime of the tests has no CUDA, so "auto" falls back to the CPU and reports it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_fallback_to_the_cpu_is_reported() {
    let info = info(Setup::pair("linear_g", "linear_h").text("runtime.provider", "auto")).await;
    for model in [info.standard.unwrap(), info.robust.unwrap()] {
        assert_eq!(model.provider, "cpu");
        // The note names CUDA where there is a GPU.
        let note = &model.provider_note;
        assert!(note.contains("CUDA") || note.contains("GPU"), "{note}");
    }
    let input = info.input.unwrap();
    assert!(!input.accepts_uint8);
    assert_eq!(input.grid_step, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_reason_for_unavailable_certificates_is_reported() {
    let unproven = info(Setup::pair("linear_g", "linear_h_unproven")).await;
    assert!(unproven.unavailable_reason.contains("nothing is proven"));
    let low_alpha = info(Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.4)).await;
    assert!(low_alpha.unavailable_reason.contains("0.4"));
    assert_eq!(
        (unproven.method(), low_alpha.method()),
        (CertificateMethod::Unspecified, CertificateMethod::Unspecified)
    );
}
