//! The real binary, as an operator runs it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::server::TEST_TIMEOUT;

fn certimix(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_certimix"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Whatever surrounds the tests must not configure the server; a backtrace must not show even if asked for.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CERTIMIX")) {
        command.env_remove(name);
    }
    command.env("RUST_BACKTRACE", "1");
    command
}

/// Runs a command that ends by itself.
pub fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    output(certimix(arguments).envs(variables.iter().copied()).spawn().unwrap())
}

/// What a process says that ends by itself, and says less than a pipe holds.
pub fn output(mut child: Child) -> Output {
    wait(&mut child);
    child.wait_with_output().unwrap()
}

/// Runs a command that must fail: with a message, and without a panic or a backtrace. Returns the message.
#[track_caller]
pub fn fails(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(arguments, variables);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    for forbidden in ["panicked", "backtrace", "RUST_BACKTRACE", "src/", "   0: "] {
        assert!(!message.contains(forbidden), "\"{forbidden}\" in {message}");
    }
    assert!(message.contains("error: "), "{message}");
    message
}

fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > TEST_TIMEOUT {
            let _ = child.kill();
            panic!("the process does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn serving(settings: &Path) -> Child {
    certimix(&["serve", settings.to_str().unwrap()]).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let arguments = [format!("-{name}"), child.id().to_string()];
    assert!(Command::new("kill").args(arguments).status().unwrap().success());
}

/// `certimix serve`, killed when this is dropped.
pub struct ServerProcess {
    child: Child,
    lines: Receiver<String>,
}

impl ServerProcess {
    pub fn spawn(settings: &Path) -> Self {
        let mut child = serving(settings);
        let (sender, lines) = channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            errors
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// The address in the line that says that it is ready.
    pub fn address(&self) -> SocketAddr {
        self.addresses().0
    }

    /// The same, and where its metrics are.
    pub fn addresses(&self) -> (SocketAddr, Option<SocketAddr>) {
        let ready = self.line_with("certimix is ready on ");
        let after = |text: &str| {
            let (_, rest) = ready.split_once(text)?;
            rest.split([',', ' ']).next()?.parse().ok()
        };
        (after("certimix is ready on ").unwrap(), after("metrics on "))
    }

    /// The next line on stderr that contains `text`.
    pub fn line_with(&self, text: &str) -> String {
        let mut before = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(TEST_TIMEOUT) {
            if line.contains(text) {
                return line;
            }
            before.push(line);
        }
        panic!("no line with \"{text}\" after {before:#?}");
    }

    /// What else is on stderr until it ends.
    pub fn rest(&self) -> Vec<String> {
        self.lines.iter().collect()
    }

    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// How many of its threads have a name that begins with `name`.
    pub fn threads(&self, name: &str) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        // One may end while it is looked at.
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|found| found.starts_with(name)).count()
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `certimix serve`, whose standard error is the test's to read or not; killed when this is dropped.
pub struct UnreadServerProcess(Child);

impl UnreadServerProcess {
    /// Reads its standard error as far as the first line with `mark`: that line, and what is left to be read.
    pub fn ready(settings: &Path, mark: &str) -> (Self, String, BufReader<ChildStderr>) {
        let mut unread = Self(serving(settings));
        let mut lines = BufReader::new(unread.0.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(mark) {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "it did not start");
        }
        (unread, line, lines)
    }

    /// Tells it to stop, and waits for the end.
    pub fn stop(&mut self) -> ExitStatus {
        signal(&self.0, "TERM");
        wait(&mut self.0)
    }
}

impl Drop for UnreadServerProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
