//! Traffic for a server with shadow candidates, and its report.

use std::time::{Duration, Instant};

use certimix::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use certimix::rpc::proto::{CertificateStatus, GetShadowReportRequest, GetShadowReportResponse, Prediction, ShadowRow};

use crate::support::messages::{certificate, floats, predict_request};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::process::ServerProcess;
use crate::support::server::{Client, TEST_TIMEOUT};

/// Returns random rows in the models' range, many of them near the borders between classes.
pub fn inputs(count: usize) -> Vec<[f32; 4]> {
    let mut random = fastrand::Rng::with_seed(6);
    let row = |_| std::array::from_fn(|_| (random.i32(-4096..=4096) as f32) / 4096.0);
    (0..count).map(row).collect()
}

pub async fn connect(server: &ServerProcess) -> Client {
    let endpoint = format!("http://{}", server.address());
    MixedClassifierClient::connect(endpoint).await.unwrap()
}

pub async fn report(client: &mut Client) -> GetShadowReportResponse {
    client
        .get_shadow_report(GetShadowReportRequest {})
        .await
        .unwrap()
        .into_inner()
}

/// Polls until the report satisfies `holds`. The server evaluates candidates in the background.
pub async fn report_when(
    client: &mut Client,
    holds: impl Fn(&GetShadowReportResponse) -> bool,
) -> GetShadowReportResponse {
    let started = Instant::now();
    loop {
        let report = report(client).await;
        if holds(&report) {
            return report;
        }
        assert!(started.elapsed() < TEST_TIMEOUT, "the condition never held: {report:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub fn evaluated_or_dropped(report: &GetShadowReportResponse) -> u64 {
    report.dropped + report.serving.as_ref().map_or(0, |row| row.inputs)
}

pub async fn report_for(client: &mut Client, inputs: usize) -> GetShadowReportResponse {
    let report = report_when(client, |report| evaluated_or_dropped(report) >= inputs as u64).await;
    assert_eq!(
        (evaluated_or_dropped(&report), report.dropped),
        (inputs as u64, 0),
        "{report:?}"
    );
    report
}

fn radius(prediction: &Prediction) -> f64 {
    let certificate = certificate(prediction);
    match certificate.status() {
        CertificateStatus::Certified => certificate.radius,
        _ => 0.0,
    }
}

/// Returns the report row that `responses` of the paper's mixture at temperature 1 give in
/// comparison with `baseline`, for models without votes.
pub fn expected_row(alpha: f64, responses: &[Prediction], baseline: &[Prediction], bounds: &[f64]) -> ShadowRow {
    let count = |holds: &dyn Fn(&Prediction, &Prediction) -> bool| {
        responses
            .iter()
            .zip(baseline)
            .filter(|(response, served)| holds(response, served))
            .count() as u64
    };
    let mut radii = vec![0; bounds.len() + 1];
    let certified: Vec<f64> = responses.iter().map(radius).filter(|&radius| radius > 0.0).collect();
    for radius in &certified {
        radii[bounds.iter().filter(|&bound| bound < radius).count()] += 1;
    }
    ShadowRow {
        alpha,
        fallback_alpha: Some(alpha),
        robust_temperature: 1.0,
        inputs: responses.len() as u64,
        agreements: count(&|response, served| response.class_index == served.class_index),
        standard_agreements: count(&|response, served| response.class_index == served.standard_class_index),
        certified: certified.len() as u64,
        gained: count(&|response, served| radius(response) > 0.0 && radius(served) <= 0.0),
        lost: count(&|response, served| radius(response) <= 0.0 && radius(served) > 0.0),
        unfinished: 0,
        open: 0,
        likely: 0,
        votes: 0,
        radii,
        radius_sum: certified.iter().sum(),
        predict_target_in_force: 0.0,
    }
}

pub async fn predict_all(client: &Client, rows: &[[f32; 4]]) -> Vec<Prediction> {
    let mut responses = Vec::new();
    let mut client = client.clone();
    let (by_call, by_stream) = rows.split_at(rows.len() - 20);
    for rows in by_call.chunks(40) {
        let response = client.predict(predict_request(floats(rows))).await.unwrap();
        responses.extend(response.into_inner().predictions);
    }
    let mut predict_stream = PredictStreamClient::open(client).await;
    for rows in by_stream.chunks(4) {
        predict_stream.send(predict_request(floats(rows)));
        responses.extend(predict_stream.next_response().await.predictions);
    }
    responses
}
