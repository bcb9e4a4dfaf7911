//! A request whose answer may not fit a response is refused before any model runs.

use certimix::rpc::open_inference::proto::ModelConfigRequest;
use tonic::Code;

use crate::support::messages::{self, CLEAR_INPUT, floats, violated_fields};
use crate::support::model_infer::{self, float_request};
use crate::support::{Setup, TestServer};

/// A response of 4 MiB holds about 4500 answers for three classes.
const TOO_MANY: usize = 5000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_may_not_fit_is_refused() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("server.max_inputs", 2 * TOO_MANY)
        .with("scheduler.queue_rows", 4 * TOO_MANY);
    let server = TestServer::start(setup).await;
    let mut client = server.client().await;
    let most = client
        .get_model_info(certimix::rpc::proto::GetModelInfoRequest {})
        .await;
    let most = usize::try_from(most.unwrap().into_inner().max_inputs).unwrap();
    assert!((1000..TOO_MANY).contains(&most), "{most}");
    let too_many = floats(&vec![CLEAR_INPUT; TOO_MANY]);
    let predict = client.predict(messages::predict_request(too_many.clone())).await;
    let certify = client.certify(messages::certify_request(too_many)).await;
    for status in [predict.unwrap_err(), certify.unwrap_err()] {
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(violated_fields(&status), ["inputs.shape"]);
        assert!(status.message().contains("expected at most"), "{status:?}");
    }
    // The largest request that GetModelInfo allows is answered, with everything it can request.
    let mut request = messages::predict_request(floats(&vec![CLEAR_INPUT; most]));
    request.include_components = true;
    let answer = client.predict(request).await.unwrap().into_inner();
    assert_eq!(answer.predictions.len(), most);
}

/// `max_batch_size` is the largest number of FP32 inputs that a request can hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_declared_batch_size_fits_a_message() {
    let setup = Setup::pair("image_g", "image_h")
        .with("server.max_inputs", 32)
        .with("server.max_message_bytes", 8192);
    let server = TestServer::start(setup).await;
    let mut client = model_infer::client(&server).await;
    let request = ModelConfigRequest {
        name: "certimix".to_owned(),
        version: String::new(),
    };
    let config = client.model_config(request).await.unwrap().into_inner().config.unwrap();
    assert_eq!(config.max_batch_size, 10);
    let request = |inputs: usize| {
        let shape = [i64::try_from(inputs).unwrap(), 3, 8, 8];
        float_request(&shape, &vec![0.5; inputs * 192])
    };
    client.model_infer(request(10)).await.unwrap();
    let refused = client.model_infer(request(11)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
}
