//! A server in a process of its own, killed when this is dropped.

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

use crate::closed_loop::on_this_thread;
use crate::interference;
use crate::raw_client::{Call, connect};

/// What both servers say on stderr when they serve.
pub const READY: &str = "certimix is ready on ";
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts `program` and waits until it is ready.
    pub fn start(program: &Path, arguments: &[&OsStr]) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // Whatever surrounds the bench must not configure the server.
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
        };
        interference::ours(server.pid());
        let errors = server.child.stderr.take().context("no stderr")?;
        let (tell, lines) = channel();
        // Reads to the end, so that the server never waits for a reader.
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                drop(tell.send(line));
            }
        });
        let mut said = Vec::new();
        loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => match line.split_once(READY) {
                    Some((_, rest)) => {
                        server.address = rest.split([',', ' ']).next().unwrap_or_default().parse()?;
                        return Ok(server);
                    }
                    None => said.push(line),
                },
                Err(RecvTimeoutError::Timeout) => bail!("the server is not ready in time: {said:#?}"),
                Err(RecvTimeoutError::Disconnected) => bail!("the server ended: {said:#?}"),
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks once.
    pub fn ask<A: Message + Default>(&self, method: &str, request: impl Message) -> anyhow::Result<A> {
        Ok(A::decode(self.ask_bytes(&Call::new(method, &[request])?)?)?)
    }

    /// Asks once, and leaves the answer as it is.
    pub fn ask_bytes(&self, call: &Call) -> anyhow::Result<Bytes> {
        on_this_thread(async {
            let channel = connect(self.address, 1).await?.pop().context("no connection")?;
            Ok(call.send(0, channel, Some(PATIENCE)).await?)
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has nothing to lose; waiting for it leaves no zombie and frees its memory before the next case.
        drop(self.child.kill());
        drop(self.child.wait());
        interference::gone(self.pid());
    }
}
