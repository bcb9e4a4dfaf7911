//! Writes the corpora that come from code: real messages, frames, records and files.
//!
//! `cargo test --lib write_fuzz_corpus -- --ignored` writes them again after a change of a format.
//! It leaves the other inputs of `fuzz/corpus` alone, such as the regressions.

use std::collections::HashMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat, RgbImage};
use prost::Message;
use serde_json::json;

use super::corpus;
use crate::cli::audit::fuzzing::example_record;
use crate::cli::client::PredictionRecord;
use crate::fuzzing::requests::METHODS;
use crate::rpc::open_inference::proto::infer_parameter::ParameterChoice;
use crate::rpc::open_inference::proto::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use crate::rpc::open_inference::proto::{InferParameter, InferTensorContents, ModelInferRequest, ModelReadyRequest};
use crate::rpc::proto::{
    BoundMethod, CertifyRequest, DataType, PredictRequest, PredictStreamRequest, Priority, Tensor,
};

/// The bit of the first byte that selects the smoothed model.
const SMOOTHED: u8 = 0x80;

#[test]
#[ignore = "writes files"]
fn write_fuzz_corpus() {
    requests();
    connections();
    certificate_records();
    client_inputs();
    repository_files();
    radius_queries();
    proof_records();
    credentials();
    random_steps();
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = corpus::root().join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}

fn repository(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn request(name: &str, options: u8, method: &str, message: &impl Message) {
    let number = METHODS.iter().position(|known| known.ends_with(&format!("/{method}")));
    let number = u8::try_from(number.unwrap()).unwrap();
    let mut bytes = vec![options | number];
    message.encode(&mut bytes).unwrap();
    write("requests", name, &bytes);
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn requests() {
    let tensor = |inputs: usize| Tensor {
        dtype: DataType::Float32.into(),
        shape: vec![i64::try_from(inputs).unwrap(), 4],
        data: floats(&[0.9, -0.5, 0.25, 0.0].repeat(inputs)).into(),
    };
    let predict = PredictRequest {
        inputs: Some(tensor(2)),
        include_components: true,
        priority: Priority::Interactive.into(),
    };
    let certify = CertifyRequest {
        inputs: Some(tensor(1)),
        include_components: true,
        target_radius: Some(0.1),
        vote_budget: Some(500),
        failure_probability: Some(1e-4),
        bound: BoundMethod::ClopperPearson.into(),
        priority: Priority::Bulk.into(),
        include_model_outputs: false,
    };
    let anytime = CertifyRequest {
        target_radius: None,
        include_model_outputs: true,
        bound: BoundMethod::Anytime.into(),
        ..certify.clone()
    };
    let of_stream = PredictStreamRequest {
        request: Some(predict.clone()),
        timeout_us: 50_000,
        correlation_id: 7,
    };
    for (model, options) in [("lipschitz", 0), ("smoothed", SMOOTHED)] {
        request(&format!("predict-{model}"), options, "Predict", &predict);
        request(&format!("certify-{model}"), options, "Certify", &certify);
        request(&format!("certify-anytime-{model}"), options, "Certify", &anytime);
        request(&format!("certify-stream-{model}"), options, "CertifyStream", &anytime);
        request(
            &format!("predict-stream-{model}"),
            options | 0x40,
            "PredictStream",
            &of_stream,
        );
        request(&format!("infer-raw-{model}"), options, "ModelInfer", &infer(true));
    }
    request("predict-empty", 0, "Predict", &PredictRequest::default());
    request("model-info", 0, "GetModelInfo", &PredictRequest::default());
    request("infer-typed", 0, "ModelInfer", &infer(false));
    request("infer-stream", 0x20, "ModelStreamInfer", &infer(true));
    let model = ModelReadyRequest {
        name: "certimix".to_owned(),
        ..ModelReadyRequest::default()
    };
    for method in ["ModelReady", "ModelMetadata", "ModelConfig", "ModelStatistics"] {
        request(&format!("{}-certimix", method.to_lowercase()), 0, method, &model);
    }
    request("health-check", 0, "Check", &model_named("liveness"));
    request("health-watch", 0, "Watch", &model_named(""));
    // Field 7 of the reflection request lists the services.
    let reflection = [0x3a, 0];
    write("requests", "reflection-list", &[&[16_u8][..], &reflection].concat());
}

/// A message whose first field is a string, as that of a health check.
fn model_named(name: &str) -> ModelReadyRequest {
    ModelReadyRequest {
        name: name.to_owned(),
        ..ModelReadyRequest::default()
    }
}

fn infer(is_raw: bool) -> ModelInferRequest {
    let values = [0.9, -0.5, 0.25, 0.0];
    let parameter = |choice| InferParameter {
        parameter_choice: Some(choice),
    };
    let tensor = InferInputTensor {
        name: "input".to_owned(),
        datatype: "FP32".to_owned(),
        shape: vec![1, 4],
        contents: (!is_raw).then(|| InferTensorContents {
            fp32_contents: values.to_vec(),
            ..InferTensorContents::default()
        }),
        ..InferInputTensor::default()
    };
    let output = |name: &str| InferRequestedOutputTensor {
        name: name.to_owned(),
        ..InferRequestedOutputTensor::default()
    };
    ModelInferRequest {
        model_name: "certimix".to_owned(),
        id: "1".to_owned(),
        // One parameter, because the order of several is random.
        parameters: HashMap::from([if is_raw {
            ("priority".to_owned(), parameter(ParameterChoice::Int64Param(2)))
        } else {
            ("timeout".to_owned(), parameter(ParameterChoice::Uint64Param(50_000)))
        }]),
        inputs: vec![tensor],
        outputs: vec![output("class"), output("radius")],
        raw_input_contents: if is_raw {
            vec![floats(&values).into()]
        } else {
            Vec::new()
        },
        ..ModelInferRequest::default()
    }
}

/// The bytes of an HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The HEADERS frame of a gRPC request.
fn headers(stream: u32, path: &str, further: &[(&str, &str)]) -> Vec<u8> {
    let standard = [
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let mut block = vec![0x83, 0x86];
    for (name, value) in standard.iter().chain(further) {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.bytes());
        }
    }
    frame(1, 4, stream, &block)
}

fn connections() {
    const WITH_PREFACE: &[u8] = &[1];
    let message = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[0][..], &length, bytes].concat()
    };
    let predict = headers(1, METHODS[0], &[("grpc-timeout", "100m"), ("x-request-id", "a")]);
    let stream = headers(
        3,
        METHODS[3],
        &[("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")],
    );
    let check = headers(1, METHODS[14], &[]);
    let parts: [(&str, Vec<Vec<u8>>); 10] = [
        (
            "predict",
            vec![predict.clone(), frame(0, 1, 1, &message(b"\x0a\x02\x08\x01"))],
        ),
        (
            "predict-stream",
            vec![
                stream.clone(),
                frame(0, 0, 3, &message(b"")),
                frame(0, 1, 3, &message(b"\x10\x01")),
            ],
        ),
        ("health-check", vec![check.clone(), frame(0, 1, 1, &message(b""))]),
        (
            "health-watch",
            vec![headers(1, METHODS[15], &[]), frame(0, 1, 1, &message(b""))],
        ),
        (
            "reflection",
            vec![headers(1, METHODS[16], &[]), frame(0, 1, 1, &message(&[0x3a, 0]))],
        ),
        (
            "large-prefix",
            vec![predict.clone(), frame(0, 0, 1, &[0, 0, 0x40, 0, 0])],
        ),
        ("reset", vec![predict.clone(), frame(3, 0, 1, &8_u32.to_be_bytes())]),
        (
            "control-frames",
            vec![
                frame(4, 0, 0, &[0, 3, 0, 0, 0, 1, 0, 4, 0, 0, 0, 0]),
                frame(6, 0, 0, &[1; 8]),
                frame(8, 0, 0, &0x10_0000_u32.to_be_bytes()),
                frame(7, 0, 0, &[0; 8]),
            ],
        ),
        (
            "continuation",
            vec![
                frame(1, 0, 1, &[0x83, 0x86]),
                frame(9, 0, 1, b"\0\x01a\x01b"),
                frame(9, 4, 1, &[]),
            ],
        ),
        ("padded-data", vec![check, frame(0, 9, 1, &[3, 0, 0, 0, 0, 0, 0, 0, 0])]),
    ];
    for (name, frames) in parts {
        write("connections", name, &[WITH_PREFACE, &frames.concat()].concat());
    }
    write(
        "connections",
        "http1",
        b"\0GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n",
    );
    write(
        "connections",
        "tls-client-hello",
        b"\0\x16\x03\x01\0\x05\x01\0\0\x01\x03",
    );
}

fn certificate_records() {
    let mut record = example_record();
    let line = |record: &PredictionRecord| serde_json::to_vec(record).unwrap();
    write("certificate_records", "anytime", &line(&record));
    record.certificate.target_radius = 0.0;
    record.certificate.method = "theorem2".to_owned();
    record.certificate.radius = 0.05;
    record.certificate.radius_sq_levels = 0;
    write("certificate_records", "theorem2", &line(&record));
    record.certificate.method = "tight".to_owned();
    record.certificate.two_sided = true;
    record.certificate.bound = "clopper_pearson".to_owned();
    record.certificate.lower_bound = 0.9;
    record.certificate.upper_bound = 0.1;
    write("certificate_records", "clopper-pearson-two-sided", &line(&record));
    record.mixed_logits = vec![-0.1, -2.4];
    record.standard_probabilities = vec![0.9, 0.1];
    record.robust_probabilities = vec![0.9, 0.1];
    record.robust_weight = Some(0.76);
    record.certificate.method = "logit_lipschitz".to_owned();
    let two = [serde_json::to_vec_pretty(&record).unwrap(), line(&record)].concat();
    write("certificate_records", "two-lipschitz", &two);
    record.certificate.status = "abstained".to_owned();
    record.certificate.radius = 0.0;
    write("certificate_records", "abstained", &line(&record));
}

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

fn client_inputs() {
    let file = |options: u8, content: &[u8]| [&[options], content].concat();
    let values = floats(&[0.0, 0.25, 0.5, 1.0]);
    write("client_inputs", "npy-float32", &file(0, &npy("<f4", "(4,)", &values)));
    write(
        "client_inputs",
        "npy-batch",
        &file(0, &npy("<f4", "(2, 4)", &values.repeat(2))),
    );
    write(
        "client_inputs",
        "npy-uint8",
        &file(1, &npy("|u1", "(3, 2, 2)", &[7; 12])),
    );
    let nested = format!("{}1{}", "(".repeat(9), ",)".repeat(9));
    write(
        "client_inputs",
        "npy-nested-shape",
        &file(0, &npy("<f4", &nested, &values)),
    );
    let image = DynamicImage::from(RgbImage::from_fn(2, 2, |x, y| image::Rgb([x as u8, y as u8, 9])));
    for (name, format) in [
        ("png", ImageFormat::Png),
        ("bmp", ImageFormat::Bmp),
        ("jpeg", ImageFormat::Jpeg),
        ("webp", ImageFormat::WebP),
    ] {
        let mut content = Cursor::new(Vec::new());
        image.write_to(&mut content, format).unwrap();
        write("client_inputs", name, &file(1, content.get_ref()));
        write(
            "client_inputs",
            &format!("{name}-resized"),
            &file(0x22, content.get_ref()),
        );
    }
}

fn repository_files() {
    for name in ["cifar10", "cifar10-smoothed", "cifar10-tiny"] {
        write("settings", name, &repository(&format!("config/{name}.toml")));
    }
    for name in ["linear_g", "linear_h", "half_space", "softmax_h", "policy_h"] {
        write("manifests", name, &repository(&format!("tests/fixtures/{name}.toml")));
    }
    for name in [
        "linear_g",
        "softmax_h",
        "image_g",
        "image_h",
        "reshaped_h",
        "quantised_h",
        "elsewhere_h",
        "transposed_h",
    ] {
        write("onnx_graphs", name, &repository(&format!("tests/fixtures/{name}.onnx")));
    }
    let every_key: Vec<String> = crate::settings::described_keys()
        .iter()
        .filter_map(|key| {
            // Some defaults are described in words.
            let default = key.default.as_ref()?.strip_prefix('`')?.strip_suffix('`')?;
            Some(format!("{} = {default}\n", key.name))
        })
        .collect();
    let required = "models.standard = \"g.toml\"\nmodels.robust = \"h.toml\"\nruntime.library = \"ort.so\"\n";
    write(
        "settings",
        "every-default",
        format!("{required}{}", every_key.concat()).as_bytes(),
    );
    let lists = "[mixture]\nalpha = 0.8\nfallback_alpha = 0.2\nshadow_alphas = [0.6, 1.0]\n\
                 shadow_candidates = [{ alpha = 0.8, fallback_alpha = 0.0, robust_temperature = 2.0 }]\n";
    write("settings", "shadow-candidates", format!("{required}{lists}").as_bytes());
}

fn radius_queries() {
    let queries = [
        (
            "tight",
            json!({"method": "tight", "alpha": 0.76, "sigma": 0.5, "p_lower": 0.99, "p_upper": 0.005}),
        ),
        (
            "theorem2",
            json!({"method": "theorem2", "alpha": 0.9, "sigma": 0.25, "p_lower_complement": 1e-9, "id": 1}),
        ),
        (
            "theorem1",
            json!({"method": "theorem1", "alpha": 0.8, "probabilities": [0.9, 0.1], "constants": [1.0, 2.0], "neighbourhood": 0.5}),
        ),
        (
            "logit-lipschitz",
            json!({"method": "logit_lipschitz", "alpha": 0.8, "logits": [3.5, 0.1], "constant": 1.0, "constant_kind": "vector", "temperature": 0.5, "error_bound": 1e-5}),
        ),
        (
            "votes",
            json!({"bound": "anytime", "votes": 300, "votes_for_class": 290, "votes_for_runner_up": 5, "failure_probability": 1e-6, "method": "tight", "alpha": 0.76, "sigma": 0.5}),
        ),
        (
            "votes-target",
            json!({"bound": "clopper_pearson", "votes": 300, "votes_for_class": 290, "failure_probability": 1e-6, "total_variation": 1e-10}),
        ),
    ];
    for (name, query) in queries {
        write("radius_queries", name, query.to_string().as_bytes());
    }
}

fn proof_records() {
    write(
        "proof_records",
        "lipschitz",
        &repository("models/cifar10/lipschitz.proof.json"),
    );
    let statement = json!({
        "version": 1, "checker": "certimix_models.prove", "guarantee": "lipschitz_logits", "norm": "l2",
        "model_sha256": "252cc89967318f302593833cc53569960ce2618df416036f34c2a3588d333b99",
        "constant": 1.5, "logit_error_bound": 1e-6, "input_shape": [4], "input_range": [-1.0, 1.0],
        "output": "logits", "classes": 2,
    });
    write("proof_records", "statement", statement.to_string().as_bytes());
}

fn credentials() {
    write(
        "credentials",
        "tokens",
        b"# old\n0123456789abcdef\n\nfedcba9876543210\r\n",
    );
    // Keys and signatures are random, so the files stay as they are.
    if corpus::root().join("credentials/certificate-and-key").exists() {
        return;
    }
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2100, 1, 1);
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    write(
        "credentials",
        "certificate-and-key",
        (certificate.pem() + &key.serialize_pem()).as_bytes(),
    );
    parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let expired = parameters.self_signed(&key).unwrap();
    write(
        "credentials",
        "expired",
        (expired.pem() + &key.serialize_pem()).as_bytes(),
    );
}

/// Bytes for the targets that draw numbers from them.
fn random_steps() {
    let mut random = fastrand::Rng::with_seed(1);
    for (target, count, length) in [("scheduler", 4, 600), ("certificates", 8, 400)] {
        for number in 0..count {
            let bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            write(target, &format!("random-{number}"), &bytes);
        }
    }
}
