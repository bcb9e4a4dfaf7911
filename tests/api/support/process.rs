//! The real binary as a child process, as an operator runs it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
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
    // The environment of the tests must not configure the server. A backtrace must not appear even
    // if it is enabled.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CERTIMIX")) {
        command.env_remove(name);
    }
    command.env("RUST_BACKTRACE", "1");
    command
}

/// Runs a command that ends by itself, and returns its output.
pub fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    output(certimix(arguments).envs(variables.iter().copied()).spawn().unwrap())
}

/// Runs a command that ends by itself with an input from stdin, and returns its output.
pub fn run_with_stdin(arguments: &[&str], variables: &[(&str, &str)], stdin: &[u8]) -> Output {
    let mut command = certimix(arguments);
    let mut child = command
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its stdin closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

/// Waits for a process that writes less than a pipe holds, and returns its output.
pub fn output(mut child: Child) -> Output {
    wait(&mut child);
    child.wait_with_output().unwrap()
}

/// Runs a command that must fail with a message, without a panic or a backtrace. Returns the
/// message.
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
            panic!("the process does not exit");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Starts a command that the test waits for later.
pub fn spawn(arguments: &[&str]) -> Child {
    certimix(arguments).spawn().unwrap()
}

fn spawn_server(settings: &Path, variables: &[(&str, &str)]) -> Child {
    let mut command = certimix(&["serve", settings.to_str().unwrap()]);
    command.envs(variables.iter().copied()).spawn().unwrap()
}

/// Sends a signal to a process.
pub fn signal(child: &Child, name: &str) {
    let arguments = [format!("-{name}"), child.id().to_string()];
    assert!(Command::new("kill").args(arguments).status().unwrap().success());
}

/// A process of `certimix serve`, which is killed on drop.
pub struct ServerProcess {
    child: Child,
    lines: Receiver<String>,
}

impl ServerProcess {
    pub fn spawn(settings: &Path) -> Self {
        Self::spawn_with(settings, &[])
    }

    /// Starts a server with these environment variables.
    pub fn spawn_with(settings: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = spawn_server(settings, variables);
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

    /// Waits until it is ready, and returns its address.
    pub fn address(&self) -> SocketAddr {
        self.addresses().0
    }

    /// Waits until it is ready, and returns its address and that of its metrics.
    pub fn addresses(&self) -> (SocketAddr, Option<SocketAddr>) {
        let ready = self.line_with("certimix is ready on ");
        let after = |text: &str| {
            let (_, rest) = ready.split_once(text)?;
            rest.split([',', ' ']).next()?.parse().ok()
        };
        (after("certimix is ready on ").unwrap(), after("metrics on "))
    }

    /// Waits for the next line on standard error that contains `text`.
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

    /// Waits for the next line on standard error that contains `text`, and returns it with the lines
    /// before it.
    pub fn lines_to(&self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(TEST_TIMEOUT) {
            lines.push(line);
            if lines.last().is_some_and(|line| line.contains(text)) {
                return lines;
            }
        }
        panic!("no line with \"{text}\" after {lines:#?}");
    }

    /// Returns the rest of the lines on standard error, to the end of the process.
    pub fn rest(&self) -> Vec<String> {
        self.lines.iter().collect()
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// The folder of the process in `/proc`.
    pub fn proc_folder(&self) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string())
    }

    #[allow(dead_code, reason = "the attacks use it")]
    /// Lowers the limit on open files to `free` more than are open now.
    pub fn limit_files(&self, free: u64) {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let limit = Some(u64::try_from(open.count()).unwrap() + free);
        let process = rustix::process::Pid::from_child(&self.child);
        let limits = rustix::process::Rlimit {
            current: limit,
            maximum: limit,
        };
        rustix::process::prlimit(Some(process), rustix::process::Resource::Nofile, limits).unwrap();
    }

    /// Counts the threads whose names start with `name`.
    pub fn threads(&self, name: &str) -> usize {
        let tasks = std::fs::read_dir(self.proc_folder().join("task")).unwrap();
        // A thread may end during the count.
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|found| found.starts_with(name)).count()
    }

    /// Waits until the process ends.
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

/// A process of `certimix serve` whose standard error the test reads or leaves unread. It is killed
/// on drop.
pub struct UnreadServerProcess(Child);

impl UnreadServerProcess {
    /// Starts a process and reads its standard error up to the first line with `mark`. Returns that
    /// line and a reader of the rest.
    pub fn start(settings: &Path, mark: &str) -> (Self, String, BufReader<ChildStderr>) {
        let mut process = Self(spawn_server(settings, &[]));
        let mut lines = BufReader::new(process.0.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(mark) {
            line.clear();
            assert!(
                lines.read_line(&mut line).unwrap() > 0,
                "the process ended during start-up"
            );
        }
        (process, line, lines)
    }

    /// Sends SIGTERM, and waits until the process ends.
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
