//! The mixture that is computed from a record answers as the server does.

use certimix::domain::RobustOutput;
use certimix::rpc::proto::CertificateStatus;

use super::{evaluate, records, tsv, write_csv};
use crate::support::messages::{certificate, floats, predict_request};
use crate::support::{Setup, TestServer};

fn inputs() -> Vec<[f32; 4]> {
    let levels = [-0.85, -0.3, 0.1, 0.55, 0.95];
    let pairs = levels.iter().flat_map(|&a| levels.iter().map(move |&b| (a, b)));
    pairs.map(|(a, b)| [a, b, -0.2, a * b]).collect()
}

/// Evaluates the inputs, serves the same pair with the same noise, and compares class and radius.
async fn compare(setup: Setup, settings_of_server: impl Fn(Setup) -> Setup) {
    let data = write_csv(&setup, &inputs());
    let table = setup.folder().join("table.tsv");
    let output = evaluate(&setup, &data, &["--tsv", table.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let (header, records) = records(&setup);
    let answers = tsv(&table);
    assert_eq!((records.len(), answers.len()), (25, 25));
    // Input i of the server has request number i, as input i of the evaluation has.
    let secret = header
        .sampling
        .as_ref()
        .and_then(|sampling| sampling.noise_secret)
        .unwrap_or([7; 32]);
    let server = TestServer::start(settings_of_server(setup).secret(secret)).await;
    let mut client = server.client().await;
    let mut certified = 0;
    for ((input, (class, radius)), record) in inputs().into_iter().zip(answers).zip(&records) {
        let request = predict_request(floats(&[input]));
        let prediction = client
            .predict(request)
            .await
            .unwrap()
            .into_inner()
            .predictions
            .remove(0);
        let served = certificate(&prediction);
        let served_radius = match served.status() {
            CertificateStatus::Certified => served.radius,
            _ => 0.0,
        };
        assert_eq!((prediction.class_index, served_radius), (class, radius), "{input:?}");
        certified += u32::from(radius > 0.0);
        if let RobustOutput::Votes(votes) = &record.robust {
            assert_eq!(votes.len() as u64, served.votes + 16);
        }
    }
    assert!((1..25).contains(&certified), "{certified} certified");
}

#[tokio::test]
async fn rows_of_a_lipschitz_model_give_the_servers_answers() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.76)
        .with("mixture.fallback_alpha", 0.1)
        .batch_size(4);
    compare(setup, |setup| setup).await;
}

#[tokio::test]
async fn votes_of_a_smoothed_model_give_the_servers_answers() {
    let setup = Setup::pair("steep_g", "half_space")
        .with("mixture.alpha", 0.76)
        .with("mixture.fallback_alpha", 0.1)
        .text("certificate.bound", "clopper_pearson")
        .with("certificate.predict_votes", 64)
        .with("certificate.selection_votes", 16)
        .with("certificate.failure_probability", 0.01)
        .batch_size(16);
    compare(setup, |setup| setup).await;
}
