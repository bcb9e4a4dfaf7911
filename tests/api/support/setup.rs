//! The settings of a test server: two fixtures, and what differs from the settings of every test.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use certimix::certificate::noise::NoiseSecret;
use certimix::settings::{self, Settings, SettingsSource};
use tempfile::TempDir;

/// The ONNX Runtime that `make runtime` fetches.
const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.runtime/onnxruntime/libonnxruntime.so");

/// The manifest of a fixture.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(format!("{name}.toml"))
}

/// Settings in the making. The files live as long as this does.
pub struct Setup {
    folder: TempDir,
    lines: BTreeMap<String, String>,
    secret: [u8; 32],
}

impl Setup {
    /// Two fixtures, one session each, on the CPU, on a port that the system chooses.
    pub fn pair(standard: &str, robust: &str) -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            lines: BTreeMap::new(),
            secret: [7; 32],
        }
        .path("models.standard", &fixture(standard))
        .path("models.robust", &fixture(robust))
        .path("runtime.library", Path::new(LIBRARY))
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

    /// Sets the rows of one run of either model, which are measured otherwise.
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

    /// Leaves `key` out.
    pub fn without(mut self, key: &str) -> Self {
        self.lines.remove(key);
        self
    }

    /// Another noise secret than the one of every test.
    pub fn secret(mut self, secret: [u8; 32]) -> Self {
        self.secret = secret;
        self
    }

    /// Uses a fixture's manifest as `key`, with every `(old, new)` replaced in its text.
    pub fn edited(self, key: &str, name: &str, edits: &[(&str, &str)]) -> Self {
        let path = self.folder.path().join(format!("{name}.toml"));
        std::fs::write(&path, manifest(name, edits)).unwrap();
        self.path(key, &path)
    }

    /// A file of the test's own, beside the settings.
    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The folder of the settings.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The settings file, written.
    pub fn write(&self) -> PathBuf {
        let lines: Vec<String> = self
            .lines
            .iter()
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect();
        self.file("certimix.toml", lines.concat().as_bytes())
    }

    /// The settings as the server reads them.
    pub fn settings(&self) -> Settings {
        settings::load(&self.write(), std::iter::empty()).unwrap()
    }

    /// Where the server reads its settings, and reads them again.
    pub fn source(&self) -> SettingsSource {
        SettingsSource::new(&self.folder().join("certimix.toml"), std::iter::empty())
    }

    /// The noise secret.
    pub fn noise_secret(&self) -> NoiseSecret {
        NoiseSecret::new(self.secret)
    }
}

/// The text of a fixture's manifest, with every `(old, new)` replaced; its ONNX file is named in full.
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
