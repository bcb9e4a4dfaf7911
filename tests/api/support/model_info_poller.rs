//! Who edits the configuration of a server that runs.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use certimix::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use certimix::rpc::proto::{GetModelInfoRequest, GetModelInfoResponse};

use super::process::ServerProcess;
use super::server::{Client, TEST_TIMEOUT};

/// A server of the real binary, and who looks at it.
pub struct ModelInfoPoller {
    pub process: ServerProcess,
    pub address: SocketAddr,
}

impl ModelInfoPoller {
    /// Waits until `served` is ready.
    pub fn of(process: ServerProcess) -> Self {
        let address = process.address();
        Self { process, address }
    }

    pub async fn client(&self) -> Client {
        MixedClassifierClient::connect(format!("http://{}", self.address))
            .await
            .unwrap()
    }

    pub async fn info(&self) -> GetModelInfoResponse {
        let answer = self.client().await.get_model_info(GetModelInfoRequest {}).await;
        answer.unwrap().into_inner()
    }

    /// Asks until `holds`.
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
                    "waited for in vain at {caller}: {info:#?}"
                );
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

/// Puts another file in the place of `file`, in one step.
pub fn replace(file: &Path, change: impl FnOnce(&str) -> String) {
    let text = std::fs::read_to_string(file).unwrap();
    let new = file.with_extension("new");
    std::fs::write(&new, change(&text)).unwrap();
    std::fs::rename(&new, file).unwrap();
}

/// `text` of a test's settings with another value of `key`.
pub fn edit(text: &str, key: &str, value: f64) -> String {
    let line = |line: &str| match line.split_once(" = ") {
        Some((found, _)) if found == key => format!("{key} = {value}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}
