//! Callers that send the same request continuously, beside what a test does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use certimix::rpc::proto::PredictResponse;
use tokio::task::JoinHandle;

use super::messages::{floats, predict_request};
use super::model_info_poller::ModelInfoPoller;

/// Callers that send requests continuously. No request may fail.
pub struct RequestLoad {
    stopped: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Vec<PredictResponse>>>,
}

impl RequestLoad {
    /// Starts four callers with connections of their own. Each sends `inputs` again and again.
    pub async fn start(server: &ModelInfoPoller, inputs: &'static [[f32; 4]]) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut callers = Vec::new();
        for _ in 0..4 {
            let (mut client, stopped) = (server.client().await, Arc::clone(&stopped));
            callers.push(tokio::spawn(async move {
                let mut responses = Vec::new();
                while !stopped.load(Ordering::Relaxed) {
                    let response = client.predict(predict_request(floats(inputs))).await;
                    responses.push(response.expect("no request fails").into_inner());
                }
                responses
            }));
        }
        Self { stopped, callers }
    }

    /// Stops the callers, and returns all responses.
    pub async fn stop(self) -> Vec<PredictResponse> {
        self.stopped.store(true, Ordering::Relaxed);
        let mut responses = Vec::new();
        for caller in self.callers {
            responses.extend(caller.await.unwrap());
        }
        responses
    }
}
