//! A server process whose settings file a test edits.
//!
//! The reload counters of `/metrics` show when a change is in force, so no gRPC connection is
//! needed for that.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;

use tonic::transport::{Channel, Endpoint};

use super::Setup;
use super::config_edit::{replace_file, with_value};
use super::process::ServerProcess;
use super::scrape::Scrape;
use super::server::{Client, TEST_TIMEOUT};

/// The series that counts the changes in force.
pub const APPLIED: &str = r#"certimix_config_reloads_total{result="applied"}"#;

/// A process of the real binary, and its settings file.
pub struct EditableServer {
    pub process: ServerProcess,
    pub address: SocketAddr,
    pub metrics: SocketAddr,
    pub file: PathBuf,
    pub setup: Setup,
}

impl EditableServer {
    /// Starts a process with metrics, and waits until it is ready.
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

    /// Connects a new client.
    pub async fn client(&self) -> Client {
        Client::new(self.channel().await)
    }

    pub fn scrape(&self) -> Scrape {
        Scrape::fetch(self.metrics)
    }

    /// Writes another TOML value of `key`. Returns before it is in force.
    pub fn write(&self, key: &str, value: impl Display) {
        replace_file(&self.file, |text| with_value(text, key, &value.to_string()));
    }

    /// Writes another TOML value of `key`, and waits until it is in force.
    pub fn set(&self, key: &str, value: impl Display) {
        let before = self.scrape().value(APPLIED);
        self.write(key, value);
        Scrape::poll_until(self.metrics, |found| found.value(APPLIED) > before);
    }

    /// Writes another string value of `key`, and waits until it is in force.
    pub fn set_text(&self, key: &str, value: &str) {
        self.set(key, format!("\"{value}\""));
    }
}
