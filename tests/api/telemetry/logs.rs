//! Logs of the real binary: a line for each request that says what became of it, and never what was in it.

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

/// A JSON server's address is in its line that says that it is ready.
fn address(ready: &str) -> String {
    let ready: Value = serde_json::from_str(ready).unwrap();
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
async fn a_request_is_a_line_with_its_name_its_settings_and_its_outcome() {
    let collector = TraceCollector::start().await;
    let setup = json(Setup::pair("linear_g", "linear_h"), "certimix::request=debug,info")
        .text("traces.endpoint", &collector.endpoint)
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

/// By default what is answered says nothing, and a flood of what is not says little.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_bad_requests_is_no_flood_of_lines() {
    const BAD: usize = 500;
    let (mut server, mut client) = serve(&json(Setup::pair("linear_g", "linear_h"), "info")).await;
    client.predict(predict_request(floats(&[CLEAR_INPUT]))).await.unwrap();
    let began = Instant::now();
    for _ in 0..BAD {
        client.predict(PredictRequest::default()).await.unwrap_err();
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    drop(client);
    server.signal("TERM");
    assert!(server.wait().success());
    let lines = server.rest();
    let lines: Vec<_> = lines.iter().filter(|line| line.contains("certimix::request")).collect();
    assert!(lines.iter().all(|line| line.contains("\"invalid\"")), "{lines:#?}");
    // Ten in each second, however many seconds it took, the first and the last begun ones too.
    assert!(
        lines.len() >= 10 && lines.len() <= 10 * seconds,
        "{} lines in {seconds} s",
        lines.len()
    );
}

/// Float inputs whose bytes can be read, so that any way of printing them is recognised.
const LETTERS: &[u8; 16] = b"kGm?wQz>bXf?vJp>";
const PIXELS: &[u8; 4] = b"Zq7#";
const TOKEN: &str = "token-of-the-caller";

fn letters() -> Tensor {
    let values: Vec<f32> = LETTERS
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
        .insert_bin("input-bin", tonic::metadata::MetadataValue::from_bytes(LETTERS));
    request
}

/// Every spelling of `bytes` that a log may have: as they are, escaped, in hexadecimal, in decimal lists, in base64 of any
/// alignment.
fn spellings(bytes: &[u8]) -> Vec<String> {
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

/// The letters that three bytes in a row give, whatever stands before them.
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

/// What must not be found: everything that was sent, in every spelling, and what the answers keep secret.
fn forbidden() -> Vec<String> {
    let mut found = vec![TOKEN.to_owned()];
    for four in LETTERS.chunks(4) {
        found.extend(spellings(four));
        let value = f32::from_le_bytes(four.try_into().unwrap());
        // The digits that f32 and f64 have in common.
        found.push(format!("{value}").chars().take(7).collect());
        found.push(format!("{value:e}").chars().take(7).collect());
    }
    found.extend(base64(LETTERS));
    found.extend(spellings(PIXELS));
    found
}

/// At the loudest filter there is: whatever a caller sends, right or wrong, by whichever RPC, no line shows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_input_no_token_and_no_key_is_ever_logged() {
    for (standard, robust) in [
        ("linear_g", "slow_smoothed"),
        ("pixels_g", "pixels_h"),
        ("linear_g", "linear_h"),
    ] {
        let setup = json(Setup::pair(standard, robust), "trace").batch_size(4);
        let (mut server, mut client) = serve(&setup).await;
        let mut keys = Vec::new();
        for tensor in [
            letters(),
            messages::bytes(&[1, 4], PIXELS),
            broken(),
            messages::raw_floats(&[1, 4], &[f32::NAN; 4]),
        ] {
            if let Ok(answer) = client.predict(with_token(predict_request(tensor.clone()))).await {
                let answer = answer.into_inner();
                keys.extend(answer.predictions.iter().map(|one| certificate(one).noise_key.to_vec()));
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
        // It did log: four RPCs of four tensors, and the one without any.
        assert!(count("certimix::request") >= 17, "{lines:#?}");
        keys.retain(|key| !key.is_empty());
        let keys = keys.iter().flat_map(|key| {
            let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            let list = key[..8].iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            [hex, list]
        });
        for text in forbidden().into_iter().chain(keys) {
            // JSON escapes backslashes; no other letter of these.
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

/// More inputs than it says.
fn broken() -> Tensor {
    Tensor {
        shape: vec![3, 4],
        ..letters()
    }
}

/// A process whose standard error is read until it is ready, its address, and what is left to be read.
fn ready(setup: &Setup) -> (UnreadServerProcess, String, BufReader<ChildStderr>) {
    let (unread, line, lines) = UnreadServerProcess::ready(&setup.write(), "\"ready\"");
    (unread, address(&line), lines)
}

/// Each of some thousand requests is a line, which nobody reads: a pipe holds 64 KiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standard_error_that_nobody_reads_holds_up_no_request_and_no_end() {
    let setup = json(Setup::pair("linear_g", "linear_h"), "debug").with("server.threads", 1);
    let (mut server, address, mut unread) = ready(&setup);
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
async fn a_standard_error_that_is_closed_kills_nobody() {
    let setup = json(Setup::pair("linear_g", "linear_h"), "debug");
    let (mut server, address, unread) = ready(&setup);
    drop(unread);
    let mut client = connect(address).await;
    for _ in 0..100 {
        client.predict(predict_request(floats(&[CLEAR_INPUT]))).await.unwrap();
    }
    drop(client);
    assert!(server.stop().success());
}
