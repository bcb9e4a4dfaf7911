//! The real binary as a child process, with models of a few kilobytes.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use tempfile::TempDir;

use super::inputs::PATIENCE;

/// Settings where a vote takes about 20 ms, and the queue holds one request for votes.
pub const SLOW_VOTES: [(&str, &str); 9] = [
    ("models.robust", "slow_smoothed"),
    ("certificate.selection_votes", "1"),
    ("certificate.max_votes", "1000000"),
    ("certificate.failure_probability", "0.4"),
    ("runtime.standard_batch_size", "1"),
    ("runtime.robust_batch_size", "1"),
    ("scheduler.queue_rows", "2"),
    ("server.max_inputs", "1"),
    ("server.max_request_time", "\"1h\""),
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A process of `certimix serve` on a port that the system chooses, and on a Unix socket. It is killed on drop.
pub struct ServerProcess {
    folder: TempDir,
    settings: PathBuf,
    child: Option<Child>,
    port: u16,
}

impl ServerProcess {
    /// Starts a server with these settings, of which a model is the name of a fixture.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let library = repository().join(".runtime/onnxruntime/libonnxruntime.so");
        let mut lines = vec![
            ("models.standard".to_owned(), "linear_g".to_owned()),
            ("models.robust".to_owned(), "linear_h".to_owned()),
            ("runtime.library".to_owned(), format!("\"{}\"", library.display())),
            ("runtime.provider".to_owned(), "\"cpu\"".to_owned()),
            ("runtime.executors".to_owned(), "1".to_owned()),
            ("server.drain_timeout".to_owned(), "\"5s\"".to_owned()),
        ];
        for (key, value) in settings {
            lines.retain(|(found, _)| found != key);
            lines.push(((*key).to_owned(), (*value).to_owned()));
        }
        let fixtures = repository().join("tests/fixtures");
        for (_, model) in lines.iter_mut().filter(|(key, _)| key.starts_with("models.")) {
            *model = format!("\"{}\"", fixtures.join(format!("{model}.toml")).display());
        }
        let text: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("certimix.toml");
        std::fs::write(&file, text).unwrap();
        Self::serve(folder, file)
    }

    /// Starts a server with a settings file of the repository.
    pub fn start_with(settings: &str) -> Self {
        Self::serve(TempDir::new().unwrap(), repository().join(settings))
    }

    fn serve(folder: TempDir, settings: PathBuf) -> Self {
        let mut server = Self {
            folder,
            settings,
            child: None,
            port: 0,
        };
        server.restart();
        server
    }

    /// Starts the server again, on the port that it had before, and waits until it is ready.
    pub fn restart(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_certimix"));
        command.args([Path::new("serve"), &self.settings]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // The environment of the tests must not configure the server.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CERTIMIX")) {
            command.env_remove(name);
        }
        command
            .env("CERTIMIX__SERVER__LISTEN", format!("127.0.0.1:{}", self.port))
            .env(
                "CERTIMIX__SERVER__UNIX_SOCKET",
                self.folder.path().join("certimix.sock"),
            )
            .env("CERTIMIX__METRICS__LISTEN", "");
        let mut child = command.spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        self.child = Some(child);
        let (sender, lines) = channel();
        // The thread reads to the end, so that the server never waits for its log.
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut before = Vec::new();
        while let Ok(line) = lines.recv_timeout(PATIENCE) {
            if let Some((_, ready)) = line.split_once("certimix is ready on 127.0.0.1:") {
                let port = ready.split(|letter: char| !letter.is_ascii_digit()).next().unwrap();
                self.port = port.parse().unwrap();
                return;
            }
            before.push(line);
        }
        panic!("the server is not ready: {before:#?}");
    }

    /// Ends the server with SIGTERM, and waits for its end.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let arguments = ["-TERM".to_owned(), child.id().to_string()];
        assert!(Command::new("kill").args(arguments).status().unwrap().success());
        child.wait().unwrap();
    }

    /// Ends the server with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The address of the TCP port.
    pub fn tcp(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The address of the TCP port, with TLS.
    pub fn https(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The address of the Unix socket.
    pub fn unix(&self) -> String {
        format!("unix://{}", self.folder.path().join("certimix.sock").display())
    }

    /// The addresses without encryption.
    pub fn addresses(&self) -> [String; 2] {
        [self.tcp(), self.unix()]
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
