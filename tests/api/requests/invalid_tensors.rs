//! The server reports every error of an invalid request by field, and continues to serve.

use certimix::rpc::proto::{CertifyRequest, DataType, PredictRequest, Tensor};
use tonic::Code;

use crate::support::messages::{bytes, floats, raw_floats, violated_fields};
use crate::support::server::Client;
use crate::support::{Setup, TestServer, messages};

const LIMIT: usize = 4096;

fn setup(standard: &str, robust: &str) -> Setup {
    Setup::pair(standard, robust)
        .with("server.max_inputs", 4)
        .with("server.max_message_bytes", LIMIT)
}

/// Returns the fields that each RPC reports for a tensor, which must be the same for all.
async fn refused_fields(client: &mut Client, tensor: Option<Tensor>) -> Vec<String> {
    let predict = PredictRequest {
        inputs: tensor.clone(),
        ..Default::default()
    };
    let certify = CertifyRequest {
        inputs: tensor,
        ..Default::default()
    };
    let has_one_input = certify
        .inputs
        .as_ref()
        .is_none_or(|tensor| tensor.shape.first() == Some(&1));
    let found = violated_fields(&client.predict(predict).await.unwrap_err());
    assert_eq!(
        found,
        violated_fields(&client.certify(certify.clone()).await.unwrap_err())
    );
    let stream_fields = violated_fields(&client.certify_stream(certify).await.unwrap_err());
    // CertifyStream takes one input, and reports that first.
    assert!(
        stream_fields == found || !has_one_input && stream_fields == ["inputs.shape"],
        "{stream_fields:?}"
    );
    found
}

async fn assert_still_serves(client: &mut Client) {
    client
        .predict(messages::predict_request(floats(&[[0.5; 4]])))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_invalid_tensor_is_refused_by_field() {
    let server = TestServer::start(setup("linear_g", "linear_h")).await;
    let mut client = server.client().await;
    let with_dtype = |dtype: i32| Tensor {
        dtype,
        ..floats(&[[0.0; 4]])
    };
    let with_shape = |shape: &[i64]| Tensor {
        shape: shape.to_vec(),
        ..floats(&[[0.0; 4]])
    };
    let with_value = |value: f32| raw_floats(&[1, 4], &[0.0, 0.0, value, 0.0]);
    let with_bytes = |count: usize| Tensor {
        data: vec![0; count].into(),
        ..floats(&[[0.0; 4]])
    };
    let huge = i64::MAX;
    let cases: [(Option<Tensor>, &str); 25] = [
        (None, "inputs"),
        (Some(with_dtype(0)), "inputs.dtype"),
        (Some(with_dtype(3)), "inputs.dtype"),
        (Some(with_dtype(-1)), "inputs.dtype"),
        // UINT8 implies the range [0, 1]. This model takes [-1, 1].
        (Some(bytes(&[1, 4], &[0; 4])), "inputs.dtype"),
        (Some(with_shape(&[])), "inputs.shape"),
        (Some(with_shape(&[4])), "inputs.shape"),
        (Some(with_shape(&[1, 5])), "inputs.shape"),
        (Some(with_shape(&[1, 2, 2])), "inputs.shape"),
        (Some(with_shape(&[0, 4])), "inputs.shape"),
        (Some(with_shape(&[5, 4])), "inputs.shape"),
        (Some(with_shape(&[-1, 4])), "inputs.shape"),
        (Some(with_shape(&[huge, 4])), "inputs.shape"),
        (Some(with_shape(&[huge, huge, huge])), "inputs.shape"),
        (Some(with_shape(&[1 << 62, 1 << 2])), "inputs.shape"),
        (Some(with_shape(&[i64::MIN, 4])), "inputs.shape"),
        (Some(with_shape(&[2, 4])), "inputs.data"),
        (Some(with_bytes(0)), "inputs.data"),
        (Some(with_bytes(15)), "inputs.data"),
        (Some(with_bytes(17)), "inputs.data"),
        (Some(with_value(f32::NAN)), "inputs.data"),
        (Some(with_value(f32::INFINITY)), "inputs.data"),
        (Some(with_value(f32::NEG_INFINITY)), "inputs.data"),
        (Some(with_value(1.000_000_1)), "inputs.data"),
        (Some(with_value(-2.0)), "inputs.data"),
    ];
    for (tensor, field) in cases {
        assert_eq!(refused_fields(&mut client, tensor.clone()).await, [field], "{tensor:?}");
    }
    assert_still_serves(&mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn all_errors_are_reported_at_once() {
    let server = TestServer::start(setup("steep_g", "half_space").with("certificate.max_votes", 5000)).await;
    let mut client = server.client().await;
    let tensor = Tensor {
        dtype: DataType::Unspecified.into(),
        shape: vec![0, 9],
        data: Vec::new().into(),
    };
    let request = CertifyRequest {
        inputs: Some(tensor),
        include_components: false,
        target_radius: Some(f64::NAN),
        vote_budget: Some(5001),
        failure_probability: Some(0.75),
        bound: 9,
        priority: 3,
        include_model_outputs: false,
    };
    let all = [
        "target_radius",
        "vote_budget",
        "failure_probability",
        "bound",
        "priority",
        "inputs.dtype",
        "inputs.shape",
    ];
    assert_eq!(
        violated_fields(&client.certify(request.clone()).await.unwrap_err()),
        all
    );
    assert_eq!(violated_fields(&client.certify_stream(request).await.unwrap_err()), all);
    assert_still_serves(&mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn certify_stream_refuses_two_inputs() {
    let server = TestServer::start(setup("steep_g", "half_space")).await;
    let mut client = server.client().await;
    let two = messages::certify_request(floats(&[[0.0; 4], [0.0; 4]]));
    assert_eq!(
        violated_fields(&client.certify_stream(two).await.unwrap_err()),
        ["inputs.shape"]
    );
    assert_still_serves(&mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_message_over_the_limit_exhausts_resources() {
    let server = TestServer::start(setup("linear_g", "linear_h")).await;
    let mut client = server.client().await;
    let tensor = Tensor {
        data: vec![0; LIMIT + 1].into(),
        ..floats(&[[0.0; 4]])
    };
    let large = PredictRequest {
        inputs: Some(tensor.clone()),
        ..Default::default()
    };
    let status = client.predict(large).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().contains(&LIMIT.to_string()), "{status:?}");
    let status = client
        .certify_stream(messages::certify_request(tensor))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert_still_serves(&mut client).await;
}

/// A message within the size limit is refused for its shape, and the error shows only the beginning
/// of the shape.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_long_shape_is_shortened_in_the_error() {
    let server = TestServer::start(setup("linear_g", "linear_h")).await;
    let mut client = server.client().await;
    let tensor = Tensor {
        shape: vec![1; 2000],
        ..floats(&[[0.0; 4]])
    };
    let status = client.predict(messages::predict_request(tensor)).await.unwrap_err();
    assert_eq!(violated_fields(&status), ["inputs.shape"]);
    assert!(status.message().len() < 500, "{}", status.message().len());
    assert_still_serves(&mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_invalid_timeout_is_refused() {
    let server = TestServer::start(setup("linear_g", "linear_h")).await;
    let mut client = server.client().await;
    let mut request = tonic::Request::new(messages::predict_request(floats(&[[0.0; 4]])));
    request.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
    assert_eq!(
        violated_fields(&client.predict(request).await.unwrap_err()),
        ["grpc-timeout"]
    );
    assert_still_serves(&mut client).await;
}
