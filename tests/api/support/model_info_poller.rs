//! A server process that a test observes through GetModelInfo.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use certimix::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use certimix::rpc::proto::{GetModelInfoRequest, GetModelInfoResponse};

use super::process::ServerProcess;
use super::server::{Client, TEST_TIMEOUT};

/// A process of the real binary, and its address.
pub struct ModelInfoPoller {
    pub process: ServerProcess,
    pub address: SocketAddr,
}

impl ModelInfoPoller {
    /// Waits until `process` is ready.
    pub fn new(process: ServerProcess) -> Self {
        let address = process.address();
        Self { process, address }
    }

    pub async fn client(&self) -> Client {
        MixedClassifierClient::connect(format!("http://{}", self.address))
            .await
            .unwrap()
    }

    pub async fn info(&self) -> GetModelInfoResponse {
        let response = self.client().await.get_model_info(GetModelInfoRequest {}).await;
        response.unwrap().into_inner()
    }

    /// Calls GetModelInfo until the response satisfies `holds`.
    #[track_caller]
    pub fn wait_for(
        &self,
        holds: impl Fn(&GetModelInfoResponse) -> bool,
    ) -> impl Future<Output = GetModelInfoResponse> {
        let caller = std::panic::Location::caller();
        async move {
            let began = Instant::now();
            let mut client = self.client().await;
            loop {
                let info = client
                    .get_model_info(GetModelInfoRequest {})
                    .await
                    .unwrap()
                    .into_inner();
                if holds(&info) {
                    return info;
                }
                assert!(
                    began.elapsed() < TEST_TIMEOUT,
                    "the condition at {caller} never held: {info:#?}"
                );
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}
