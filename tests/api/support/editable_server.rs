//! Who edits the settings of a server that runs, and sees by its metrics when they are in force: connections are not needed for that.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;

use tonic::transport::{Channel, Endpoint};

use super::Setup;
use super::model_info_poller::replace;
use super::process::ServerProcess;
use super::scrape::Scrape;
use super::server::{Client, TEST_TIMEOUT};

pub const APPLIED: &str = r#"certimix_config_reloads_total{result="applied"}"#;

/// A server of the real binary.
pub struct EditableServer {
    pub process: ServerProcess,
    pub address: SocketAddr,
    pub metrics: SocketAddr,
    pub file: PathBuf,
    pub setup: Setup,
}

impl EditableServer {
    /// Waits until it is ready.
    pub fn start(setup: Setup) -> Self {
        let setup = setup.text("metrics.listen", "127.0.0.1:0");
        let file = setup.write();
        let process = ServerProcess::spawn(&file);
        let (address, metrics) = process.addresses();
        Self {
            process,
            address,
            metrics: metrics.expect("metrics are served"),
            file,
            setup,
        }
    }

    pub async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.timeout(TEST_TIMEOUT).connect().await.unwrap()
    }

    /// On a connection of its own.
    pub async fn client(&self) -> Client {
        Client::new(self.channel().await)
    }

    pub fn scrape(&self) -> Scrape {
        Scrape::fetch(self.metrics)
    }

    /// Writes another value of `key`, as TOML, and waits for nothing.
    pub fn write(&self, key: &str, value: impl Display) {
        replace(&self.file, |text| set(text, key, &value.to_string()));
    }

    /// Writes another value of `key`, as TOML, and waits until it is in force.
    pub fn set(&self, key: &str, value: impl Display) {
        let before = self.scrape().value(APPLIED);
        self.write(key, value);
        Scrape::poll_until(self.metrics, |found| found.value(APPLIED) > before);
    }

    /// As `set`, of a string.
    pub fn set_text(&self, key: &str, value: &str) {
        self.set(key, format!("\"{value}\""));
    }
}

/// `text` of a test's settings with `key = value` in place of what it says of `key`, if it says anything.
fn set(text: &str, key: &str, value: &str) -> String {
    let others = text.lines().filter(|line| line.split(" = ").next() != Some(key));
    others
        .map(str::to_owned)
        .chain([format!("{key} = {value}")])
        .fold(String::new(), |text, line| text + &line + "\n")
}
