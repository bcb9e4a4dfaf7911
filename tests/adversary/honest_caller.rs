//! A caller that sends one request after the other beside an attack.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tonic::Code;
use tonic::transport::Endpoint;

use crate::support::messages::{CLEAR_INPUT, floats, predict_request};
use crate::support::server::Client;

/// The deadline of each request. An attack that the server does not bear costs many seconds.
const DEADLINE: Duration = Duration::from_secs(5);

/// A caller with a connection of its own.
pub struct HonestCaller {
    stopped: Arc<AtomicBool>,
    requests: JoinHandle<HonestResults>,
}

/// The results of an honest caller.
#[derive(Debug, Default)]
pub struct HonestResults {
    /// The requests that were answered.
    pub answered: usize,
    /// The codes of the requests that were not.
    pub failures: Vec<Code>,
}

impl HonestCaller {
    /// Connects, and sends requests until [`HonestCaller::stop`].
    pub async fn start(address: SocketAddr) -> Self {
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let mut client = Client::new(channel.connect().await.unwrap());
        let stopped = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stopped);
        let requests = tokio::spawn(async move {
            let mut results = HonestResults::default();
            while !is_stopped.load(Ordering::Relaxed) {
                let mut request = tonic::Request::new(predict_request(floats(&[CLEAR_INPUT])));
                request.set_timeout(DEADLINE);
                match client.predict(request).await {
                    Ok(_) => results.answered += 1,
                    Err(status) => results.failures.push(status.code()),
                }
            }
            results
        });
        Self { stopped, requests }
    }

    /// Stops, and returns the results.
    pub async fn stop(self) -> HonestResults {
        self.stopped.store(true, Ordering::Relaxed);
        self.requests.await.unwrap()
    }

    /// Stops. Every request must have been answered.
    pub async fn assert_unharmed(self) {
        let results = self.stop().await;
        assert!(results.answered > 0, "{results:?}");
        assert!(results.failures.is_empty(), "{results:?}");
    }
}
