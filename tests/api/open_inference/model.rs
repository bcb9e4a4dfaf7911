//! The metadata, configuration, statistics and readiness of the model.

use certimix::rpc::open_inference::proto::{
    DataType, ModelConfigRequest, ModelMetadataRequest, ModelReadyRequest, ModelStatisticsRequest, ServerLiveRequest,
    ServerMetadataRequest, ServerReadyRequest,
};
use tonic::Code;

use crate::support::messages::CLEAR_INPUT;
use crate::support::model_infer::{self, ALL_OUTPUTS, row_request, with_outputs};
use crate::support::slow_load::slow_load;
use crate::support::{Setup, TestServer, messages};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn metadata_and_configuration_describe_the_model() {
    let setup = Setup::pair("image_g", "image_h")
        .text("open_inference.model_name", "vision/cifar10")
        .with("server.max_inputs", 32);
    let server = TestServer::start(setup).await;
    let mut client = model_infer::client(&server).await;
    let (name, version) = ("vision/cifar10".to_owned(), "1".to_owned());
    let request = ModelMetadataRequest {
        name: name.clone(),
        version: version.clone(),
    };
    let metadata = client.model_metadata(request).await.unwrap().into_inner();
    assert_eq!(
        (&metadata.name, metadata.versions.as_slice()),
        (&name, [version.clone()].as_slice())
    );
    assert_eq!(metadata.inputs.len(), 1);
    let input = &metadata.inputs[0];
    assert_eq!((input.name.as_str(), input.datatype.as_str()), ("input", "FP32"));
    assert_eq!(input.shape, [-1, 3, 8, 8]);

    let request = ModelConfigRequest {
        name: name.clone(),
        version,
    };
    let config = client.model_config(request).await.unwrap().into_inner().config.unwrap();
    assert_eq!(
        (&config.name, config.max_batch_size, config.platform),
        (&name, 32, metadata.platform)
    );
    assert_eq!(config.input[0].dims, [3, 8, 8]);
    assert_eq!(config.input[0].data_type(), DataType::TypeFp32);
    assert_eq!(config.parameters["config_revision"].string_value.len(), 64);
    let of_metadata = metadata.outputs.iter().map(|output| {
        let datatype = DataType::from_str_name(&format!("TYPE_{}", output.datatype)).unwrap();
        (&output.name, datatype, &output.shape[1..])
    });
    let of_config = config
        .output
        .iter()
        .map(|output| (&output.name, output.data_type(), output.dims.as_slice()));
    assert!(of_metadata.eq(of_config));
    assert_eq!(
        config
            .output
            .iter()
            .map(|output| output.name.as_str())
            .collect::<Vec<_>>(),
        ALL_OUTPUTS
    );
    // The response has the outputs of the metadata.
    let mut request = with_outputs(&ALL_OUTPUTS, model_infer::float_request(&[1, 3, 8, 8], &[0.5; 192]));
    request.model_name = name;
    let response = client.model_infer(request).await.unwrap().into_inner();
    for (promised, answered) in metadata.outputs.iter().zip(&response.outputs) {
        assert_eq!(
            (&promised.name, &promised.datatype),
            (&answered.name, &answered.datatype)
        );
        assert_eq!(promised.shape[1..], answered.shape[1..]);
    }
    let server = client
        .server_metadata(ServerMetadataRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (server.name.as_str(), server.version.as_str()),
        ("certimix", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn statistics_count_successes_and_failures() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let mut client = model_infer::client(&server).await;
    for count in 1..=3 {
        client
            .model_infer(row_request(&[CLEAR_INPUT; 3][..count]))
            .await
            .unwrap();
    }
    client
        .model_infer(model_infer::float_request(&[1, 5], &[0.0; 5]))
        .await
        .unwrap_err();
    for name in ["", "certimix"] {
        let request = ModelStatisticsRequest {
            name: name.to_owned(),
            ..Default::default()
        };
        let statistics = client.model_statistics(request).await.unwrap().into_inner().model_stats;
        assert_eq!(statistics.len(), 1);
        assert_eq!(
            (
                statistics[0].name.as_str(),
                statistics[0].inference_count,
                statistics[0].execution_count
            ),
            ("certimix", 6, 3)
        );
        let stats = statistics[0].inference_stats.as_ref().unwrap();
        let (success, fail) = (stats.success.unwrap(), stats.fail.unwrap());
        assert_eq!((success.count, fail.count), (3, 1));
        let parts = [
            stats.queue,
            stats.compute_input,
            stats.compute_infer,
            stats.compute_output,
        ]
        .map(Option::unwrap);
        assert!(parts.iter().all(|part| part.count == 3));
        assert!(parts.iter().map(|part| part.ns).sum::<u64>() <= success.ns && fail.ns > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_is_ready_when_the_models_are_ready() {
    let mut server = TestServer::listen(slow_load());
    let mut client = model_infer::client(&server).await;
    let name = "certimix".to_owned();
    for ready in [false, true] {
        assert!(
            client
                .server_live(ServerLiveRequest {})
                .await
                .unwrap()
                .into_inner()
                .live
        );
        assert_eq!(
            client
                .server_ready(ServerReadyRequest {})
                .await
                .unwrap()
                .into_inner()
                .ready,
            ready
        );
        let request = ModelReadyRequest {
            name: name.clone(),
            ..Default::default()
        };
        assert_eq!(client.model_ready(request).await.unwrap().into_inner().ready, ready);
        client.server_metadata(ServerMetadataRequest {}).await.unwrap();
        let request = ModelMetadataRequest {
            name: name.clone(),
            ..Default::default()
        };
        let metadata = client
            .model_metadata(request)
            .await
            .map(drop)
            .map_err(|status| status.code());
        let infer = client
            .model_infer(row_request(&[CLEAR_INPUT]))
            .await
            .map(drop)
            .map_err(|status| status.code());
        if ready {
            assert_eq!((metadata, infer), (Ok(()), Ok(())));
            break;
        }
        assert_eq!((metadata, infer), (Err(Code::Unavailable), Err(Code::Unavailable)));
        assert!(server.ready().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_can_be_disabled() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h").with("open_inference.enabled", false)).await;
    let refused = model_infer::client(&server)
        .await
        .server_live(ServerLiveRequest {})
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "{refused:?}");
    let listed = crate::services::reflection::list_services(&server).await;
    assert!(!listed.iter().any(|name| name.starts_with("inference.")), "{listed:?}");
    server
        .client()
        .await
        .predict(messages::predict_request(messages::floats(&[CLEAR_INPUT])))
        .await
        .unwrap();
}
