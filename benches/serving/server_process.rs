//! A server in its own process.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, bail};
use prost::Message;
use prost::bytes::Bytes;

use crate::async_runtime::block_on_this_thread;
use crate::interference;
use crate::raw_client::{EncodedCall, connect};

/// Both servers print this on standard error, followed by the address, when they serve.
pub const READY_PREFIX: &str = "certimix is ready on ";
/// The address of the metrics follows this in the same line.
const METRICS_PREFIX: &str = "metrics on ";
const TIMEOUT: Duration = Duration::from_secs(60);

/// A running server. Dropping it kills the process.
pub struct ServerProcess {
    child: Child,
    pub address: SocketAddr,
    /// The address of the metrics and probes, if the server has one.
    pub metrics: Option<SocketAddr>,
}

impl ServerProcess {
    /// Starts `program` and waits until it is ready.
    pub fn start(program: &Path, arguments: &[&OsStr]) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // The environment of the benchmark must not configure the server.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CERTIMIX") {
                command.env_remove(name);
            }
        }
        let mut server = Self {
            child: command
                .spawn()
                .with_context(|| format!("cannot start {}", program.display()))?,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            metrics: None,
        };
        interference::register_process(server.pid());
        let stderr = server.child.stderr.take().context("no stderr")?;
        let (sender, lines) = channel();
        // The thread reads to the end, so that the server never waits for a reader.
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                drop(sender.send(line));
            }
        });
        let mut printed = Vec::new();
        loop {
            match lines.recv_timeout(TIMEOUT) {
                Ok(line) => match line.split_once(READY_PREFIX) {
                    Some((_, rest)) => {
                        let first_word = |text: &str| text.split([',', ' ']).next().unwrap_or_default().parse();
                        server.address = first_word(rest)?;
                        if let Some((_, metrics)) = rest.split_once(METRICS_PREFIX) {
                            server.metrics = Some(first_word(metrics)?);
                        }
                        return Ok(server);
                    }
                    None => printed.push(line),
                },
                Err(RecvTimeoutError::Timeout) => bail!("the server is not ready in time: {printed:#?}"),
                Err(RecvTimeoutError::Disconnected) => bail!("the server ended: {printed:#?}"),
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends one request and decodes the response.
    pub fn call<A: Message + Default>(&self, method: &str, request: impl Message) -> anyhow::Result<A> {
        Ok(A::decode(self.call_raw(&EncodedCall::new(method, &[request])?)?)?)
    }

    /// Sends one request and returns the bytes of the response.
    pub fn call_raw(&self, call: &EncodedCall) -> anyhow::Result<Bytes> {
        block_on_this_thread(async {
            let channel = connect(self.address, 1).await?.pop().context("no connection")?;
            Ok(call.send(0, channel, Some(TIMEOUT)).await?)
        })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // The server has no state to lose. `wait` leaves no zombie and frees the memory before the
        // next case.
        drop(self.child.kill());
        drop(self.child.wait());
        interference::unregister_process(self.pid());
    }
}
