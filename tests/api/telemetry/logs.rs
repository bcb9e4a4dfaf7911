//! Logs of the real binary: a line for each request with its outcome, and never with its contents.

use std::io::{BufReader, Read as _};
use std::process::ChildStderr;
use std::time::Instant;

use certimix::rpc::proto::{CertifyRequest, PredictRequest, Tensor};
use serde_json::Value;
use tonic::{Code, Request};

use crate::support::Setup;
use crate::support::messages::{self, CLEAR_INPUT, certificate, certify_with_votes, floats, predict_request};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::process::{ServerProcess, UnreadServerProcess};
use crate::support::server::{Client, connect};
use crate::support::trace_collector::TraceCollector;

fn json(setup: Setup, filter: &str) -> Setup {
    setup.text("log.format", "json").text("log.filter", filter)
}

/// Returns the address of a server from the JSON line that reports it ready.
fn address(ready_line: &str) -> String {
    let ready: Value = serde_json::from_str(ready_line).unwrap();
    format!("http://{}", ready["address"].as_str().unwrap())
}

async fn serve(setup: &Setup) -> (ServerProcess, Client) {
    let server = ServerProcess::spawn(&setup.write());
    let address = address(&server.line_with("\"ready\""));
    (server, connect(address).await)
}

fn request_line(server: &ServerProcess) -> Value {
    serde_json::from_str(&server.line_with("certimix::request")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_logs_its_id_its_settings_and_its_outcome() {
    let collector = TraceCollector::start().await;
    let setup = json(Setup::pair("linear_g", "linear_h"), "certimix::request=debug,info")
        .text("traces.endpoint", &collector.endpoint)
        .with("mixture.fallback_alpha", 0.25)
        .with("traces.sample_ratio", 0.0);
    let (server, mut client) = serve(&setup).await;
    let mut request = Request::new(predict_request(floats(&[CLEAR_INPUT, CLEAR_INPUT])));
    request.metadata_mut().insert("x-request-id", "loop-7".parse().unwrap());
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    let provenance = client.predict(request).await.unwrap().into_inner().provenance.unwrap();
    let line = request_line(&server);
    for (key, expected) in [
        ("level", "DEBUG"),
        ("request_id", "loop-7"),
        ("rpc", "Predict"),
        ("outcome", "ok"),
        ("code", "OK"),
        ("config_revision", &provenance.config_revision[..12]),
        ("trace_id", "0af7651916cd43dd8448eb211c80319c"),
    ] {
        assert_eq!(line[key], expected, "{key} in {line}");
    }
    assert_eq!((&line["inputs"], &line["certified"]), (&2.into(), &2.into()), "{line}");
    assert_eq!(line["alpha"].as_f64(), Some(provenance.alpha), "{line}");
    assert_eq!(line["fallback_alpha"].as_f64(), Some(0.25), "{line}");
    assert_eq!(provenance.fallback_alpha, Some(0.25));
    let total = line["total_us"].as_u64().unwrap();
    for stage in ["queue_us", "standard_us", "robust_us", "mixing_us"] {
        assert!(line[stage].as_u64().unwrap() <= total, "{stage} in {line}");
    }

    let status = client.predict(PredictRequest::default()).await.unwrap_err();
    let name = status.metadata().get("x-request-id").unwrap().to_str().unwrap();
    let line = request_line(&server);
    assert_eq!(
        (&line["outcome"], &line["code"]),
        (&"invalid".into(), &"INVALID_ARGUMENT".into()),
        "{line}"
    );
    assert_eq!(
        (&line["request_id"], &line["level"]),
        (&name.into(), &"INFO".into()),
        "{line}"
    );
    assert!(
        line.get("trace_id").is_none() && line.get("robust_us").is_none(),
        "{line}"
    );

    let mut predict_stream = PredictStreamClient::open(client).await;
    predict_stream.send(predict_request(floats(&[CLEAR_INPUT])));
    predict_stream.next_response().await;
    let line = request_line(&server);
    assert_eq!(
        (&line["rpc"], &line["message_number"]),
        (&"PredictStream".into(), &1.into()),
        "{line}"
    );
}

/// By default successful requests write no line, and many failed requests write few.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lines_of_failed_requests_are_rate_limited() {
    const INVALID_REQUESTS: usize = 500;
    let (mut server, mut client) = serve(&json(Setup::pair("linear_g", "linear_h"), "info")).await;
    client.predict(predict_request(floats(&[CLEAR_INPUT]))).await.unwrap();
    let began = Instant::now();
    for _ in 0..INVALID_REQUESTS {
        client.predict(PredictRequest::default()).await.unwrap_err();
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    drop(client);
    server.signal("TERM");
    assert!(server.wait().success());
    let lines = server.rest();
    let lines: Vec<_> = lines.iter().filter(|line| line.contains("certimix::request")).collect();
    assert!(lines.iter().all(|line| line.contains("\"invalid\"")), "{lines:#?}");
    // The limit is ten lines a second. The first and the last second may be partial.
    assert!(
        lines.len() >= 10 && lines.len() <= 10 * seconds,
        "{} lines in {seconds} s",
        lines.len()
    );
}

/// The bytes of float inputs. They are letters, so that the test recognises any format in a log.
const FLOAT_BYTES: &[u8; 16] = b"kGm?wQz>bXf?vJp>";
const PIXELS: &[u8; 4] = b"Zq7#";
const TOKEN: &str = "token-of-the-caller";

fn readable_floats() -> Tensor {
    let values: Vec<f32> = FLOAT_BYTES
        .chunks(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    messages::raw_floats(&[1, 4], &values)
}

fn with_token<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let bearer = format!("Bearer {TOKEN}");
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    request
        .metadata_mut()
        .insert_bin("input-bin", tonic::metadata::MetadataValue::from_bytes(FLOAT_BYTES));
    request
}

/// Returns `bytes` in every format that a log may use: verbatim, escaped, in hexadecimal and as
/// decimal lists.
fn formats(bytes: &[u8]) -> Vec<String> {
    let joined = |each: &dyn Fn(&u8) -> String, between: &str| bytes.iter().map(each).collect::<Vec<_>>().join(between);
    vec![
        String::from_utf8(bytes.to_vec()).unwrap(),
        joined(&|byte| format!("{byte:02x}"), ""),
        joined(&|byte| format!("{byte:02X}"), ""),
        joined(&|byte| format!("\\x{byte:02x}"), ""),
        joined(&|byte| format!("0x{byte:02x}"), ", "),
        joined(&ToString::to_string, ", "),
        joined(&ToString::to_string, ","),
    ]
}

/// Returns the base64 text of `bytes` for each alignment.
fn base64(bytes: &[u8]) -> Vec<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..3)
        .map(|offset| {
            let whole = &bytes[offset..];
            let groups = whole.chunks_exact(3).map(|three| {
                let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
                [18, 12, 6, 0].map(|shift| char::from(ALPHABET[usize::try_from(bits >> shift & 63).unwrap()]))
            });
            groups.flatten().collect()
        })
        .collect()
}

/// Returns the texts that no log may contain: the inputs and the token in every format.
fn forbidden_texts() -> Vec<String> {
    let mut found = vec![TOKEN.to_owned()];
    for four in FLOAT_BYTES.chunks(4) {
        found.extend(formats(four));
        let value = f32::from_le_bytes(four.try_into().unwrap());
        // These digits are the same in f32 and f64.
        found.push(format!("{value}").chars().take(7).collect());
        found.push(format!("{value:e}").chars().take(7).collect());
    }
    found.extend(base64(FLOAT_BYTES));
    found.extend(formats(PIXELS));
    found
}

/// Even with the filter `trace`, no line contains an input, valid or invalid, of any RPC.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_input_token_or_noise_key_is_logged() {
    for (standard, robust) in [
        ("linear_g", "slow_smoothed"),
        ("pixels_g", "pixels_h"),
        ("linear_g", "linear_h"),
    ] {
        let setup = json(Setup::pair(standard, robust), "trace").batch_size(4);
        let (mut server, mut client) = serve(&setup).await;
        let mut keys = Vec::new();
        for tensor in [
            readable_floats(),
            messages::bytes(&[1, 4], PIXELS),
            shape_mismatch(),
            messages::raw_floats(&[1, 4], &[f32::NAN; 4]),
        ] {
            if let Ok(response) = client.predict(with_token(predict_request(tensor.clone()))).await {
                let response = response.into_inner();
                keys.extend(
                    response
                        .predictions
                        .iter()
                        .map(|one| certificate(one).noise_key.to_vec()),
                );
            }
            drop(client.certify(with_token(certify_with_votes(tensor.clone(), 20))).await);
            if let Ok(stream) = client
                .certify_stream(with_token(certify_with_votes(tensor.clone(), 20)))
                .await
            {
                let mut stream = stream.into_inner();
                while let Ok(Some(_)) = stream.message().await {}
            }
            let mut predict_stream = PredictStreamClient::open(client.clone()).await;
            predict_stream.send(predict_request(tensor));
            drop(predict_stream.next_outcome().await);
        }
        let status = client.certify(with_token(CertifyRequest::default())).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        drop(client);
        server.signal("TERM");
        assert!(server.wait().success());
        let lines = server.rest();
        let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
        // The server logged four RPCs with four tensors each, and one RPC without a tensor.
        assert!(count("certimix::request") >= 17, "{lines:#?}");
        keys.retain(|key| !key.is_empty());
        let keys = keys.iter().flat_map(|key| {
            let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            let list = key[..8].iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            [hex, list]
        });
        for text in forbidden_texts().into_iter().chain(keys) {
            // JSON escapes backslashes, and no other letter in these texts.
            let escaped = text.replace('\\', "\\\\");
            let shown: Vec<_> = lines.iter().filter(|line| line.contains(&escaped)).collect();
            assert!(shown.is_empty(), "\"{text}\" is in {shown:#?}");
        }
        // Every line is one JSON object.
        for line in &lines {
            let parsed: Value = serde_json::from_str(line).unwrap();
            assert!(parsed["level"].is_string(), "{line}");
        }
    }
}

/// Builds a tensor whose shape has more inputs than its data.
fn shape_mismatch() -> Tensor {
    Tensor {
        shape: vec![3, 4],
        ..readable_floats()
    }
}

/// Starts a process and reads its standard error until it is ready. Returns the process, its
/// address and a reader of the rest.
fn start_unread(setup: &Setup) -> (UnreadServerProcess, String, BufReader<ChildStderr>) {
    let (unread, line, lines) = UnreadServerProcess::start(&setup.write(), "\"ready\"");
    (unread, address(&line), lines)
}

/// A thousand requests write a line each, which the test does not read. A pipe holds 64 KiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unread_standard_error_delays_no_request_and_no_exit() {
    let setup = json(Setup::pair("linear_g", "linear_h"), "debug").with("server.threads", 1);
    let (mut server, address, mut unread) = start_unread(&setup);
    let mut client = connect(address).await;
    for _ in 0..1000 {
        client.predict(predict_request(floats(&[CLEAR_INPUT]))).await.unwrap();
    }
    drop(client);
    assert!(server.stop().success());
    let mut text = String::new();
    unread.read_to_string(&mut text).unwrap();
    assert!(text.lines().filter(|line| line.contains("certimix::request")).count() > 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_standard_error_does_not_end_the_server() {
    let setup = json(Setup::pair("linear_g", "linear_h"), "debug");
    let (mut server, address, unread) = start_unread(&setup);
    drop(unread);
    let mut client = connect(address).await;
    for _ in 0..100 {
        client.predict(predict_request(floats(&[CLEAR_INPUT]))).await.unwrap();
    }
    drop(client);
    assert!(server.stop().success());
}

/// ONNX Runtime reports each failed run. Its messages are lines of the log, and a caller cannot fill the
/// log with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_messages_of_the_runtime_are_few_json_lines() {
    const FAILING_REQUESTS: usize = 100;
    for (filter, has_messages) in [("info", true), ("info,onnxruntime=off", false)] {
        let (mut server, mut client) = serve(&json(Setup::pair("failing_g", "linear_h"), filter)).await;
        for _ in 0..FAILING_REQUESTS {
            let failing = predict_request(floats(&[[0.3125; 4]]));
            let status = client.predict(failing).await.unwrap_err();
            assert_eq!(status.code(), Code::Internal);
        }
        client.predict(predict_request(floats(&[CLEAR_INPUT]))).await.unwrap();
        drop(client);
        server.signal("TERM");
        assert!(server.wait().success());
        let lines = server.rest();
        let lines: Vec<Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
            .collect();
        let messages: Vec<&Value> = lines.iter().filter(|line| line["target"] == "onnxruntime").collect();
        let has_errors = messages.iter().any(|line| line["level"] == "ERROR");
        assert_eq!(
            (has_errors, !messages.is_empty()),
            (has_messages, has_messages),
            "{messages:#?}"
        );
        // One line in ten seconds for each kind, and a failed run has one kind.
        assert!(messages.len() < FAILING_REQUESTS / 10, "{messages:#?}");
    }
}

/// The log of a server that cannot start is JSON to its last line.
#[test]
fn the_reason_of_a_failed_start_is_a_json_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let setup = json(Setup::pair("linear_g", "linear_h"), "info")
        .text("server.listen", &taken.local_addr().unwrap().to_string());
    let mut server = ServerProcess::spawn(&setup.write());
    assert_eq!(server.wait().code(), Some(1));
    let lines = server.rest();
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert!(last["error"].as_str().unwrap().contains("server.listen"), "{lines:#?}");
    assert!(
        lines.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{lines:#?}"
    );
}
