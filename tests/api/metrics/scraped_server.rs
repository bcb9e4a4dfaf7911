//! A server process whose metrics a test scrapes.

use std::net::SocketAddr;

use tonic::transport::Channel;

use crate::support::Setup;
use crate::support::process::ServerProcess;
use crate::support::scrape::Scrape;
use crate::support::server::{Client, TEST_TIMEOUT};

/// A process of the real binary, its metrics address and a client.
pub struct ScrapedServer {
    pub process: ServerProcess,
    pub metrics: SocketAddr,
    pub channel: Channel,
    pub client: Client,
    _setup: Setup,
}

impl ScrapedServer {
    pub async fn start(setup: Setup) -> Self {
        let setup = setup.text("metrics.listen", "127.0.0.1:0");
        let process = ServerProcess::spawn(&setup.write());
        let (address, metrics) = process.addresses();
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.timeout(TEST_TIMEOUT).connect().await.unwrap();
        Self {
            process,
            metrics: metrics.expect("metrics are served"),
            client: Client::new(channel.clone()),
            channel,
            _setup: setup,
        }
    }

    pub fn scrape(&self) -> Scrape {
        Scrape::fetch(self.metrics)
    }
}

pub fn linear_setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
}

/// Settings where a vote takes about 20 ms, and the queue holds one request for votes at a time.
pub fn slow_setup() -> Setup {
    Setup::one_slow_request().text("server.drain_timeout", "60s")
}
