//! Metrics of the real binary count every request exactly.

use std::time::Duration;

use certimix::rpc::proto::{GetModelInfoRequest, Priority};
use tonic::transport::Channel;
use tonic::{Code, Request};

use super::scraped_server::{ScrapedServer, linear_setup, slow_setup};
use crate::support::messages::{CLEAR_INPUT, certificate, certify_request, certify_with_votes, floats};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::scrape::Scrape;
use crate::support::{Setup, messages};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_call_is_counted_once_by_its_outcome() {
    let mut server = ScrapedServer::start(linear_setup()).await;
    let before = server.scrape();
    assert_eq!(before.sum("certimix_requests_total", ""), 0.0);
    let client = &mut server.client;
    for _ in 0..7 {
        client
            .predict(messages::predict_request(floats(&[CLEAR_INPUT, CLEAR_INPUT])))
            .await
            .unwrap();
    }
    let wrong = client
        .predict(messages::predict_request(floats(&[])))
        .await
        .unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
    client
        .certify(certify_request(floats(&[CLEAR_INPUT; 3])))
        .await
        .unwrap();
    client.get_model_info(GetModelInfoRequest::default()).await.unwrap();
    let mut stream = PredictStreamClient::open(client.clone()).await;
    for inputs in [1, 0, 1] {
        stream.send(messages::predict_request(floats(&vec![CLEAR_INPUT; inputs])));
    }
    stream.next_response().await;
    stream.next_error().await;
    stream.next_response().await;

    let found = server.scrape();
    for (series, expected) in [
        (r#"certimix_requests_total{code="OK",outcome="ok",rpc="Predict"}"#, 7.0),
        (
            r#"certimix_requests_total{code="INVALID_ARGUMENT",outcome="invalid",rpc="Predict"}"#,
            1.0,
        ),
        (r#"certimix_requests_total{code="OK",outcome="ok",rpc="Certify"}"#, 1.0),
        (
            r#"certimix_requests_total{code="OK",outcome="ok",rpc="GetModelInfo"}"#,
            1.0,
        ),
        (
            r#"certimix_requests_total{code="OK",outcome="ok",rpc="PredictStream"}"#,
            2.0,
        ),
        (
            r#"certimix_requests_total{code="INVALID_ARGUMENT",outcome="invalid",rpc="PredictStream"}"#,
            1.0,
        ),
        (r#"certimix_inputs_total{rpc="Predict"}"#, 14.0),
        (r#"certimix_inputs_total{rpc="Certify"}"#, 3.0),
        (r#"certimix_inputs_total{rpc="PredictStream"}"#, 2.0),
        (r#"certimix_rows_total{model="standard"}"#, 19.0),
        (r#"certimix_rows_total{model="robust"}"#, 19.0),
        (r#"certimix_batch_rows_sum{model="robust"}"#, 19.0),
        (r#"certimix_certificates_total{status="certified"}"#, 19.0),
        (r#"certimix_certificates_total{status="abstained"}"#, 0.0),
        ("certimix_certificate_radius_count", 19.0),
        ("certimix_mixture_margin_count", 19.0),
        ("certimix_votes_total", 0.0),
        ("certimix_disagreements_total", 0.0),
        ("certimix_serving", 1.0),
        (r#"certimix_model_healthy{model="robust"}"#, 1.0),
        (r#"certimix_queue_rows{class="interactive",model="robust"}"#, 0.0),
        (r#"certimix_admitted_rows{model="robust"}"#, 0.0),
        (r#"certimix_mixtures_total{weight="alpha"}"#, 19.0),
        (r#"certimix_mixtures_total{weight="fallback"}"#, 0.0),
        ("certimix_config_alpha", 0.76),
        ("certimix_config_fallback_alpha", 0.76),
    ] {
        assert_eq!(found.value(series), expected, "{series}");
    }
    assert_eq!(found.sum("certimix_requests_total", ""), 13.0);
    // The total duration is observed for every call, the stages only for successful calls that run
    // the models.
    assert_eq!(found.sum("certimix_request_duration_seconds_count", ""), 13.0);
    for stage in ["queue", "standard", "robust", "mixing", "rest"] {
        let stage = format!("stage=\"{stage}\"");
        assert_eq!(
            found.sum("certimix_request_stage_duration_seconds_count", &stage),
            10.0,
            "{stage}"
        );
    }
    // The slower model determines the total, so the stages without the faster model sum to it.
    let part = |stage: &str| {
        let labels = format!(r#"{{rpc="Predict",stage="{stage}"}}"#);
        found.value(&format!("certimix_request_stage_duration_seconds_sum{labels}"))
    };
    let whole = found.value(r#"certimix_request_duration_seconds_sum{outcome="ok",rpc="Predict"}"#);
    let parts = part("queue") + part("mixing") + part("rest");
    assert!(parts < whole && whole <= parts + part("standard") + part("robust") + 1e-9);
    let revision = found
        .series
        .keys()
        .find(|id| id.starts_with("certimix_config_info"))
        .unwrap();
    assert_eq!(revision.split('"').nth(1).unwrap().len(), 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn inputs_are_counted_by_the_weight_of_their_mixture() {
    let setup = linear_setup().with("mixture.fallback_alpha", 0.25);
    let mut server = ScrapedServer::start(setup).await;
    // The robust model is sure of two of the inputs.
    let inputs = floats(&[CLEAR_INPUT, [0.1; 4], CLEAR_INPUT]);
    let response = server.client.predict(messages::predict_request(inputs)).await.unwrap();
    let predictions = response.into_inner().predictions;
    let weights: Vec<_> = predictions.iter().map(|prediction| prediction.robust_weight).collect();
    assert_eq!(weights, [Some(0.76), Some(0.25), Some(0.76)]);
    let found = server.scrape();
    for (series, expected) in [
        (r#"certimix_mixtures_total{weight="alpha"}"#, 2.0),
        (r#"certimix_mixtures_total{weight="fallback"}"#, 1.0),
        ("certimix_config_fallback_alpha", 0.25),
        ("certimix_config_target_fallback_alpha", 0.25),
    ] {
        assert_eq!(found.value(series), expected, "{series}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn vote_counters_match_the_certificates() {
    let setup = Setup::pair("steep_g", "half_space").batch_size(64);
    let mut server = ScrapedServer::start(setup).await;
    let mut votes = 0;
    // One input is clear, one is not certifiable, and one is where g outputs another class.
    for x in [[0.25; 4], [0.0; 4], [0.02; 4]] {
        let response = server
            .client
            .certify(certify_with_votes(floats(&[x]), 300))
            .await
            .unwrap();
        votes += certificate(&response.into_inner().predictions[0]).votes_drawn;
    }
    let found = server.scrape();
    assert_eq!(
        found.value("certimix_votes_total"),
        f64::from(u32::try_from(votes).unwrap())
    );
    assert!(found.value(r#"certimix_rows_total{model="robust"}"#) >= found.value("certimix_votes_total"));
    assert_eq!(found.value(r#"certimix_rows_total{model="standard"}"#), 3.0);
    let of = |status| found.value(&format!("certimix_certificates_total{{status=\"{status}\"}}"));
    assert_eq!((of("certified") + of("abstained"), of("unavailable")), (3.0, 0.0));
    assert!(of("certified") >= 1.0 && of("abstained") >= 1.0);
    assert_eq!(found.value("certimix_certificate_radius_count"), of("certified"));
    assert_eq!(found.sum("certimix_certification_stops_total", ""), 3.0);
    assert_eq!(found.sum("certimix_abstentions_total", ""), of("abstained"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn refusals_deadlines_and_cancellations_are_counted_separately() {
    let mut server = ScrapedServer::start(slow_setup()).await;
    // This request has too little time for a single row. It is refused at once.
    let mut short = PredictStreamClient::open(server.client.clone()).await;
    short.send_with_timeout(messages::predict_request(floats(&[CLEAR_INPUT])), 2000);
    assert_eq!(short.next_error().await.code, i32::from(Code::DeadlineExceeded));
    // A request that would take hours occupies the queue, and then its caller leaves.
    let endless = certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000);
    let mut stream = server.client.certify_stream(endless).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    let busy = server.scrape();
    assert_eq!(busy.value(r#"certimix_admitted_rows{model="robust"}"#), 2.0);
    for _ in 0..3 {
        let mut request = certify_with_votes(floats(&[CLEAR_INPUT]), 1);
        request.priority = Priority::Interactive.into();
        let refused = server.client.certify(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    }
    drop(stream);
    let cancelled = r#"certimix_requests_total{code="CANCELLED",outcome="cancelled",rpc="CertifyStream"}"#;
    let found = Scrape::poll_until(server.metrics, |found| found.value(cancelled) > 0.0);
    for (series, expected) in [
        (cancelled, 1.0),
        (r#"certimix_refusals_total{reason="queue_full",rpc="Certify"}"#, 3.0),
        (
            r#"certimix_requests_total{code="RESOURCE_EXHAUSTED",outcome="refused",rpc="Certify"}"#,
            3.0,
        ),
        (
            r#"certimix_refusals_total{reason="too_short",rpc="PredictStream"}"#,
            1.0,
        ),
        (
            r#"certimix_requests_total{code="DEADLINE_EXCEEDED",outcome="deadline",rpc="PredictStream"}"#,
            1.0,
        ),
    ] {
        assert_eq!(found.value(series), expected, "{series}");
    }
    assert_eq!(found.sum("certimix_requests_total", ""), 5.0);
    assert_eq!(found.sum("certimix_refusals_total", ""), 4.0);
    // The demand: the endless certification until its deadline, and the refused ones of a few votes of
    // about 20 ms. No replica could meet the deadline of the first request, so it counts nothing.
    let demanded = |class, result| {
        let series = format!(r#"certimix_demanded_executor_seconds_total{{class="{class}",result="{result}"}}"#);
        found.value(&series)
    };
    assert!(demanded("bulk", "admitted") > 1.0);
    assert!(demanded("interactive", "refused") > 0.02);
    assert_eq!(demanded("interactive", "admitted"), 0.0);
    assert_eq!(demanded("bulk", "refused"), 0.0);
    assert_eq!(found.sum("certimix_deadline_misses_total", ""), 0.0);
    Scrape::poll_until(server.metrics, |found| found.sum("certimix_admitted_rows", "") == 0.0);
}

/// The queue gauges are read at the scrape: the rows, and the age of the oldest row.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn queued_rows_are_exported_with_their_age() {
    let setup = Setup::pair("linear_g", "slow_h").batch_size(1);
    let server = ScrapedServer::start(setup).await;
    let mut client = server.client.clone();
    // One executor runs 60 rows of about 20 ms each.
    let call = tokio::spawn(async move {
        client
            .predict(messages::predict_request(floats(&[CLEAR_INPUT; 60])))
            .await
            .unwrap()
    });
    let (rows, age) = (
        r#"certimix_queue_rows{class="interactive",model="robust"}"#,
        r#"certimix_queue_oldest_age_seconds{class="interactive",model="robust"}"#,
    );
    // A scrape before the executor takes its first row would show 60 rows and no busy executor, so
    // this one polls.
    Scrape::poll_until(server.metrics, |found| {
        let some_wait = 0.0 < found.value(rows) && found.value(rows) < 60.0;
        some_wait && found.value(age) > 0.0 && found.value(r#"certimix_executors{state="busy"}"#) == 1.0
    });
    call.await.unwrap();
    let after = server.scrape();
    assert_eq!((after.value(rows), after.value(age)), (0.0, 0.0));
}

/// An admitted request whose time passes before its answer is a miss of the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_admitted_request_that_is_late_is_a_deadline_miss() {
    const TIME: Duration = Duration::from_secs(3);
    let setup = Setup::pair("linear_g", "slow_h").batch_size(1);
    let server = ScrapedServer::start(setup.text("server.max_request_time", "3s")).await;
    let mut client = server.client.clone();
    // 20 rows of about 20 ms. The caller itself has no deadline, so it does not leave.
    let request = messages::predict_request(floats(&[CLEAR_INPUT; 20]));
    let call = tokio::spawn(async move { client.predict(request).await });
    Scrape::poll_until(server.metrics, |found| {
        found.value(r#"certimix_executors{state="busy"}"#) == 1.0
    });
    // The process stands still until the time of the request has passed.
    server.process.signal("STOP");
    tokio::time::sleep(TIME).await;
    server.process.signal("CONT");
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
    let missed = r#"certimix_deadline_misses_total{rpc="Predict"}"#;
    let found = Scrape::poll_until(server.metrics, |found| found.value(missed) == 1.0);
    let ended = r#"certimix_requests_total{code="DEADLINE_EXCEEDED",outcome="deadline",rpc="Predict"}"#;
    assert_eq!(found.value(ended), 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn callers_cannot_create_series() {
    let mut server = ScrapedServer::start(linear_setup()).await;
    server
        .client
        .predict(messages::predict_request(floats(&[CLEAR_INPUT])))
        .await
        .unwrap();
    call_unknown_method(&server.channel, "/certimix.v1.MixedClassifier/Nothing").await;
    let before = server.scrape();
    for number in 0..1000 {
        let mut request = Request::new(messages::predict_request(floats(&[CLEAR_INPUT])));
        let id = format!("request-{number}").parse().unwrap();
        request.metadata_mut().insert("x-request-id", id);
        server.client.predict(request).await.unwrap();
    }
    for number in 0..50 {
        call_unknown_method(&server.channel, &format!("/nowhere.Service{number}/Nothing{number}")).await;
    }
    let after = server.scrape();
    let series = |scrape: &Scrape| scrape.series.keys().cloned().collect::<Vec<_>>();
    assert_eq!(series(&before), series(&after));
    let other = r#"certimix_requests_total{code="UNIMPLEMENTED",outcome="invalid",rpc="other"}"#;
    assert_eq!(after.value(other), 51.0);
    assert!(after.series.len() < 1500, "{} series", after.series.len());
}

async fn call_unknown_method(channel: &Channel, path: &str) {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<GetModelInfoRequest, GetModelInfoRequest>::default();
    let request = Request::new(GetModelInfoRequest::default());
    let response = grpc.unary(request, path.parse().unwrap(), codec).await;
    let status = response.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    assert!(status.metadata().contains_key("x-request-id"), "{status:?}");
}

/// The request ID is returned with responses and errors, and on streams.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_request_id_is_returned() {
    let mut server = ScrapedServer::start(linear_setup()).await;
    let with_request_id = |inputs, name: &str| {
        let mut request = Request::new(certify_request(floats(inputs)));
        request.metadata_mut().insert("x-request-id", name.parse().unwrap());
        request
    };
    let request_id = |metadata: &tonic::metadata::MetadataMap| {
        let id = metadata.get("x-request-id").expect("a request ID");
        id.to_str().unwrap().to_owned()
    };
    let client = &mut server.client;
    let response = client
        .certify(with_request_id(&[CLEAR_INPUT], "loop-7/step:12"))
        .await
        .unwrap();
    assert_eq!(request_id(response.metadata()), "loop-7/step:12");
    let wrong = client
        .certify(with_request_id(&[], "loop-7/step:13"))
        .await
        .unwrap_err();
    assert_eq!(
        (wrong.code(), request_id(wrong.metadata()).as_str()),
        (Code::InvalidArgument, "loop-7/step:13")
    );
    let stream = client
        .certify_stream(with_request_id(&[CLEAR_INPUT], "loop-7/step:14"))
        .await
        .unwrap();
    assert_eq!(request_id(stream.metadata()), "loop-7/step:14");
    // An invalid request ID is replaced, and a request without an ID gets one.
    for strange in ["two words", &"x".repeat(65)] {
        let response = client.certify(with_request_id(&[CLEAR_INPUT], strange)).await.unwrap();
        assert_eq!(request_id(response.metadata()).len(), 32);
    }
    let one = client.get_model_info(GetModelInfoRequest::default()).await.unwrap();
    let other = client.get_model_info(GetModelInfoRequest::default()).await.unwrap();
    assert_ne!(request_id(one.metadata()), request_id(other.metadata()));
}

/// A model that outputs NaN for some inputs stays healthy, and the rows are counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nonfinite_rows_are_counted_by_model() {
    let mut server = ScrapedServer::start(Setup::pair("nan_g", "linear_h")).await;
    let name = "certimix_nonfinite_rows_total";
    assert_eq!(server.scrape().sum(name, ""), 0.0);
    let rows = [[-0.5; 4], [0.5; 4], [-0.25; 4]];
    server
        .client
        .predict(messages::predict_request(floats(&rows)))
        .await
        .unwrap();
    let after = server.scrape();
    assert_eq!(after.sum(name, "model=\"standard\""), 2.0);
    assert_eq!(after.sum(name, "model=\"robust\""), 0.0);
}

/// An executor audits its first batch after 64 batches of a model.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn batches_are_audited() {
    let mut server = ScrapedServer::start(linear_setup()).await;
    for _ in 0..64 {
        server
            .client
            .predict(messages::predict_request(floats(&[CLEAR_INPUT])))
            .await
            .unwrap();
    }
    let audited = |scrape: &Scrape| scrape.sum("certimix_row_audits_total", "") == 2.0;
    let scrape = Scrape::poll_until(server.metrics, audited);
    assert_eq!(scrape.sum("certimix_row_audit_differences_total", ""), 0.0);
}
