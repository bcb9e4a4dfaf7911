//! The settings of a test server: two fixtures, and changes to the common settings.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use certimix::certificate::noise::NoiseSecret;
use certimix::settings::{self, Settings, SettingsSource};
use tempfile::TempDir;

/// The ONNX Runtime library that `make runtime` fetches.
pub const RUNTIME_LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.runtime/onnxruntime/libonnxruntime.so");

/// Returns the path of a fixture's manifest.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(format!("{name}.toml"))
}

/// A builder of settings. Its files are removed on drop.
pub struct Setup {
    folder: TempDir,
    lines: BTreeMap<String, String>,
    secret: [u8; 32],
}

impl Setup {
    /// Settings where a vote takes about 20 ms, and the queue holds one request for votes at a time.
    pub fn one_slow_request() -> Self {
        Self::pair("linear_g", "slow_smoothed")
            .batch_size(1)
            .with("certificate.selection_votes", 1)
            .with("certificate.max_votes", 1_000_000)
            .with("certificate.failure_probability", 0.4)
            .with("server.max_inputs", 1)
            .with("scheduler.queue_rows", 2)
            .text("server.max_request_time", "1h")
    }

    /// Starts from two fixtures on the CPU, one session each, and a port that the system chooses.
    pub fn pair(standard: &str, robust: &str) -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            lines: BTreeMap::new(),
            secret: [7; 32],
        }
        .path("models.standard", &fixture(standard))
        .path("models.robust", &fixture(robust))
        .path("runtime.library", Path::new(RUNTIME_LIBRARY))
        .text("runtime.provider", "cpu")
        .with("runtime.executors", 1)
        .text("server.listen", "127.0.0.1:0")
        .text("server.drain_timeout", "5s")
        .text("metrics.listen", "")
    }

    /// Sets `key` to a TOML value.
    pub fn with(mut self, key: &str, value: impl Display) -> Self {
        self.lines.insert(key.to_owned(), value.to_string());
        self
    }

    /// Sets the batch size of both models. Without it the server measures its own.
    pub fn batch_size(self, rows: impl Display + Copy) -> Self {
        self.with("runtime.standard_batch_size", rows)
            .with("runtime.robust_batch_size", rows)
    }

    /// Sets `key` to a string.
    pub fn text(self, key: &str, value: &str) -> Self {
        self.with(key, format!("\"{value}\""))
    }

    /// Sets `key` to a path.
    pub fn path(self, key: &str, path: &Path) -> Self {
        self.text(key, path.to_str().unwrap())
    }

    /// Removes `key`.
    pub fn without(mut self, key: &str) -> Self {
        self.lines.remove(key);
        self
    }

    /// Replaces the common noise secret.
    pub fn secret(mut self, secret: [u8; 32]) -> Self {
        self.secret = secret;
        self
    }

    /// Sets `key` to a copy of a fixture's manifest, with every `(old, new)` replaced in its text.
    pub fn edited(self, key: &str, name: &str, edits: &[(&str, &str)]) -> Self {
        let path = self.folder.path().join(format!("{name}.toml"));
        std::fs::write(&path, manifest(name, edits)).unwrap();
        self.path(key, &path)
    }

    /// Sets `key` to a manifest beside the settings, with the ONNX file of the fixture `name`.
    pub fn copied(self, key: &str, name: &str) -> Self {
        let manifest = fixture(name);
        let copy = |path: &Path| std::fs::copy(path, self.folder().join(path.file_name().unwrap())).unwrap();
        copy(&manifest);
        copy(&manifest.with_extension("onnx"));
        self.text(key, &format!("{name}.toml"))
    }

    /// Writes a file beside the settings, and returns its path.
    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Returns the folder of the settings.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the settings file, and returns its path.
    pub fn write(&self) -> PathBuf {
        let lines: Vec<String> = self
            .lines
            .iter()
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect();
        self.file("certimix.toml", lines.concat().as_bytes())
    }

    /// Writes the settings, and reads them as the server does.
    pub fn settings(&self) -> Settings {
        settings::load(&self.write(), std::iter::empty()).unwrap()
    }

    /// Returns the source from which the server reads and reloads its settings.
    pub fn source(&self) -> SettingsSource {
        SettingsSource::new(&self.folder().join("certimix.toml"), std::iter::empty())
    }

    /// Returns the noise secret.
    pub fn noise_secret(&self) -> NoiseSecret {
        NoiseSecret::new(self.secret)
    }
}

/// Returns the text of a fixture's manifest, with every `(old, new)` replaced. The path of its ONNX
/// file is absolute.
pub fn manifest(name: &str, edits: &[(&str, &str)]) -> String {
    let path = fixture(name);
    let folder = path.parent().unwrap().to_str().unwrap();
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (old, new) in edits {
        assert!(text.contains(old), "{name}.toml has no {old}");
        text = text.replace(old, new);
    }
    text.replace("file = \"", &format!("file = \"{folder}/"))
}
