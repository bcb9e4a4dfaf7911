//! Metrics of the real binary: exactly what was asked of it, in a text that every scraper reads.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use certimix::rpc::proto::{GetModelInfoRequest, Priority};
use tonic::transport::Channel;
use tonic::{Code, Request};

use crate::support::editable_server::EditableServer;
use crate::support::messages::{CLEAR_INPUT, certificate, certify_request, certify_with_votes, floats};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::process::{ServerProcess, fails};
use crate::support::scrape::{Scrape, http_get, http_request};
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::tls_authority::{CertificateAuthority, VALID_NOW, with_tls};
use crate::support::{Setup, messages};

/// A binary that serves, its metrics, and a client.
struct ScrapedServer {
    process: ServerProcess,
    metrics: SocketAddr,
    channel: Channel,
    client: Client,
    _setup: Setup,
}

impl ScrapedServer {
    async fn start(setup: Setup) -> Self {
        let setup = setup.text("metrics.listen", "127.0.0.1:0");
        let process = ServerProcess::spawn(&setup.write());
        let (address, metrics) = process.addresses();
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.timeout(TEST_TIMEOUT).connect().await.unwrap();
        Self {
            process,
            metrics: metrics.expect("metrics are served"),
            client: Client::new(channel.clone()),
            channel,
            _setup: setup,
        }
    }

    fn scrape(&self) -> Scrape {
        Scrape::fetch(self.metrics)
    }
}

fn linear() -> Setup {
    Setup::pair("linear_g", "linear_h")
}

/// A vote takes some 20 ms, and there is room for one request for votes at a time.
fn slow() -> Setup {
    Setup::pair("linear_g", "slow_smoothed")
        .batch_size(1)
        .with("certificate.selection_votes", 1)
        .with("certificate.max_votes", 1_000_000)
        .with("certificate.failure_probability", 0.4)
        .with("server.max_inputs", 1)
        .with("scheduler.queue_rows", 2)
        .text("server.max_request_time", "1h")
        .text("server.drain_timeout", "60s")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_call_is_counted_once_by_what_came_of_it() {
    let mut server = ScrapedServer::start(linear()).await;
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
        ("certimix_config_alpha", 0.76),
    ] {
        assert_eq!(found.value(series), expected, "{series}");
    }
    assert_eq!(found.sum("certimix_requests_total", ""), 13.0);
    // The whole was observed for every call, the parts for every answered one that asked the models.
    assert_eq!(found.sum("certimix_request_duration_seconds_count", ""), 13.0);
    for stage in ["queue", "standard", "robust", "mixing", "rest"] {
        let stage = format!("stage=\"{stage}\"");
        assert_eq!(
            found.sum("certimix_request_stage_duration_seconds_count", &stage),
            10.0,
            "{stage}"
        );
    }
    // Of two models the slower one decides: the parts without the quicker are the whole.
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
async fn votes_are_counted_as_the_certificates_tell_them() {
    let setup = Setup::pair("steep_g", "half_space").batch_size(64);
    let mut server = ScrapedServer::start(setup).await;
    let mut votes = 0;
    // Clear, not certifiable, and on the side where g says something else.
    for x in [[0.25; 4], [0.0; 4], [0.02; 4]] {
        let answer = server
            .client
            .certify(certify_with_votes(floats(&[x]), 300))
            .await
            .unwrap();
        votes += certificate(&answer.into_inner().predictions[0]).votes_drawn;
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
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn refusals_deadlines_and_callers_who_leave_are_told_apart() {
    let mut server = ScrapedServer::start(slow()).await;
    // Too little time for a single row: let in, and not answered.
    let mut short = PredictStreamClient::open(server.client.clone()).await;
    short.send_with_timeout(messages::predict_request(floats(&[CLEAR_INPUT])), 2000);
    assert_eq!(short.next_error().await.code, i32::from(Code::DeadlineExceeded));
    // One that would take hours has the one place; its caller leaves.
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
        (r#"certimix_deadline_misses_total{rpc="PredictStream"}"#, 1.0),
        (
            r#"certimix_requests_total{code="DEADLINE_EXCEEDED",outcome="deadline",rpc="PredictStream"}"#,
            1.0,
        ),
    ] {
        assert_eq!(found.value(series), expected, "{series}");
    }
    assert_eq!(found.sum("certimix_requests_total", ""), 5.0);
    assert_eq!(found.sum("certimix_refusals_total", ""), 3.0);
    assert_eq!(found.sum("certimix_deadline_misses_total", ""), 1.0);
    Scrape::poll_until(server.metrics, |found| found.sum("certimix_admitted_rows", "") == 0.0);
}

/// What waits is read when it is asked for: its rows, and for how long.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_waits_is_seen_with_its_age() {
    let setup = Setup::pair("linear_g", "slow_h").batch_size(1);
    let server = ScrapedServer::start(setup).await;
    let mut client = server.client.clone();
    // 60 rows of some 20 ms on one executor.
    let asked = tokio::spawn(async move {
        client
            .predict(messages::predict_request(floats(&[CLEAR_INPUT; 60])))
            .await
            .unwrap()
    });
    let (rows, age) = (
        r#"certimix_queue_rows{class="interactive",model="robust"}"#,
        r#"certimix_queue_oldest_age_seconds{class="interactive",model="robust"}"#,
    );
    // A scrape before the executor took its first row sees all 60 wait, and none busy: it looks again.
    Scrape::poll_until(server.metrics, |found| {
        let some_wait = 0.0 < found.value(rows) && found.value(rows) < 60.0;
        some_wait && found.value(age) > 0.0 && found.value(r#"certimix_executors{state="busy"}"#) == 1.0
    });
    asked.await.unwrap();
    let after = server.scrape();
    assert_eq!((after.value(rows), after.value(age)), (0.0, 0.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_caller_makes_a_series() {
    let mut server = ScrapedServer::start(linear()).await;
    server
        .client
        .predict(messages::predict_request(floats(&[CLEAR_INPUT])))
        .await
        .unwrap();
    unknown(&server.channel, "/certimix.v1.MixedClassifier/Nothing").await;
    let before = server.scrape();
    for number in 0..1000 {
        let mut request = Request::new(messages::predict_request(floats(&[CLEAR_INPUT])));
        let id = format!("request-{number}").parse().unwrap();
        request.metadata_mut().insert("x-request-id", id);
        server.client.predict(request).await.unwrap();
    }
    for number in 0..50 {
        unknown(&server.channel, &format!("/nowhere.Service{number}/Nothing{number}")).await;
    }
    let after = server.scrape();
    let series = |scrape: &Scrape| scrape.series.keys().cloned().collect::<Vec<_>>();
    assert_eq!(series(&before), series(&after));
    let other = r#"certimix_requests_total{code="UNIMPLEMENTED",outcome="invalid",rpc="other"}"#;
    assert_eq!(after.value(other), 51.0);
    assert!(after.series.len() < 1500, "{} series", after.series.len());
}

async fn unknown(channel: &Channel, path: &str) {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<GetModelInfoRequest, GetModelInfoRequest>::default();
    let request = Request::new(GetModelInfoRequest::default());
    let answer = grpc.unary(request, path.parse().unwrap(), codec).await;
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    assert!(status.metadata().contains_key("x-request-id"), "{status:?}");
}

/// The name of a request comes back with its answer and with its error, in a stream as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_request_keeps_its_name() {
    let mut server = ScrapedServer::start(linear()).await;
    let named = |inputs, name: &str| {
        let mut request = Request::new(certify_request(floats(inputs)));
        request.metadata_mut().insert("x-request-id", name.parse().unwrap());
        request
    };
    let told = |metadata: &tonic::metadata::MetadataMap| {
        let id = metadata.get("x-request-id").expect("a name");
        id.to_str().unwrap().to_owned()
    };
    let client = &mut server.client;
    let answer = client.certify(named(&[CLEAR_INPUT], "loop-7/step:12")).await.unwrap();
    assert_eq!(told(answer.metadata()), "loop-7/step:12");
    let wrong = client.certify(named(&[], "loop-7/step:13")).await.unwrap_err();
    assert_eq!(
        (wrong.code(), told(wrong.metadata()).as_str()),
        (Code::InvalidArgument, "loop-7/step:13")
    );
    let stream = client
        .certify_stream(named(&[CLEAR_INPUT], "loop-7/step:14"))
        .await
        .unwrap();
    assert_eq!(told(stream.metadata()), "loop-7/step:14");
    // What is no name is replaced, and what has none gets one.
    for strange in ["two words", &"x".repeat(65)] {
        let answer = client.certify(named(&[CLEAR_INPUT], strange)).await.unwrap();
        assert_eq!(told(answer.metadata()).len(), 32);
    }
    let one = client.get_model_info(GetModelInfoRequest::default()).await.unwrap();
    let other = client.get_model_info(GetModelInfoRequest::default()).await.unwrap();
    assert_ne!(told(one.metadata()), told(other.metadata()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_port_answers_while_the_server_drains_and_says_that_it_does_not_serve() {
    let mut server = ScrapedServer::start(slow()).await;
    let metrics = server.metrics;
    assert_eq!(http_get(metrics, "/livez").0, 200);
    assert_eq!(http_get(metrics, "/readyz").0, 200);
    let (status, _, hint) = http_get(metrics, "/");
    assert!(status == 404 && hint.contains("/metrics"), "{hint}");
    assert_eq!(
        http_request(
            metrics,
            "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n"
        )
        .0,
        405
    );
    assert_eq!(http_get(metrics, "/metrics?name=certimix").0, 200);

    let endless = certify_with_votes(floats(&[CLEAR_INPUT]), 1_000_000);
    let mut stream = server.client.certify_stream(endless).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    server.process.signal("TERM");
    let draining = Scrape::poll_until(metrics, |found| found.value("certimix_serving") == 0.0);
    assert_eq!(draining.value(r#"certimix_admitted_rows{model="robust"}"#), 2.0);
    assert_eq!(
        (http_get(metrics, "/readyz").0, http_get(metrics, "/livez").0),
        (503, 200)
    );
    drop(stream);
    drop(server.client);
    drop(server.channel);
    assert!(server.process.wait().success());
    assert!(std::net::TcpStream::connect(metrics).is_err());
}

/// A connection that says nothing, or too much, holds up nobody and is ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_strange_connection_holds_up_nobody() {
    let server = ScrapedServer::start(linear()).await;
    let silent: Vec<_> = (0..8)
        .map(|_| std::net::TcpStream::connect(server.metrics).unwrap())
        .collect();
    let garbage = http_request(server.metrics, "nonsense\r\n\r\n");
    assert!(garbage.0 >= 400, "{garbage:?}");
    let long = format!(
        "GET /metrics HTTP/1.1\r\nHost: test\r\nX-Long: {}\r\n\r\n",
        "x".repeat(64 << 10)
    );
    let mut connection = std::net::TcpStream::connect(server.metrics).unwrap();
    connection.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    // It may be ended before all is written.
    drop(std::io::Write::write_all(&mut connection, long.as_bytes()));
    server.scrape();
    drop(silent);
}

#[test]
fn a_port_that_is_taken_is_told_by_its_key() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let setup = linear().text("metrics.listen", &address);
    let message = fails(&["serve", setup.write().to_str().unwrap()], &[]);
    for part in ["metrics.listen", &address, "\"\" for none"] {
        assert!(message.contains(part), "{message}");
    }
    let setup = linear().text("metrics.listen", "here");
    let message = fails(&["serve", setup.write().to_str().unwrap()], &[]);
    assert!(message.contains("metrics.listen: expected an address"), "{message}");
}

/// `docs/reference/metrics.md` has a line for each family, with its type, and for nothing else: those of TLS and of shadow alphas too.
#[test]
fn the_documentation_is_what_is_exported() {
    let setup = linear().with("mixture.shadow_alphas", "[0.6]");
    let server = EditableServer::start(with_tls(setup, &CertificateAuthority::new().sign(VALID_NOW)));
    let exported = server.scrape().families;
    let text = include_str!("../../../docs/reference/metrics.md");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.trim_end_matches('`').to_owned();
        let ours = name.starts_with("certimix_") || name.starts_with("process_");
        ours.then_some((name, cells.next()?.to_owned()))
    };
    let documented: Vec<(String, String)> = text.lines().filter_map(row).collect();
    let mut sorted = documented.clone();
    sorted.sort();
    assert_eq!(sorted, exported.into_iter().collect::<Vec<_>>());
}

/// A model may answer NaN on some inputs: it stays healthy, and the rows are counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn rows_that_are_not_finite_are_counted_by_model() {
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

/// The first audit of an executor comes after 64 batches of a model.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn answered_batches_are_audited() {
    let mut server = ScrapedServer::start(linear()).await;
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
