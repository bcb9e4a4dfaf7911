//! The files of the server under test: settings, tokens and manifests, which the operator changes
//! while it runs.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::TempDir;
use toml_edit::{DocumentMut, value};

/// A pair of models, by the bundled settings file that serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelPair {
    /// `config/cifar10.toml`: one row of each model, no votes.
    Lipschitz,
    /// `config/cifar10-tiny.toml`: votes of a small model.
    SmoothedTiny,
}

impl ModelPair {
    fn settings(self) -> &'static str {
        match self {
            Self::Lipschitz => "config/cifar10.toml",
            Self::SmoothedTiny => "config/cifar10-tiny.toml",
        }
    }

    /// The name of the robust model in its manifest.
    pub fn robust_name(self) -> &'static str {
        match self {
            Self::Lipschitz => "cifar10-lipschitz",
            Self::SmoothedTiny => "cifar10-smoothed-tiny",
        }
    }
}

/// The files in a temporary folder.
pub struct SettingsFiles {
    folder: TempDir,
    root: PathBuf,
}

impl SettingsFiles {
    /// Copies the manifests of the bundled models into a new folder. The models are linked.
    pub fn create(root: &Path) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let models = folder.path().join("models");
        std::fs::create_dir(&models)?;
        for entry in std::fs::read_dir(root.join("models/cifar10"))? {
            let path = entry?.path();
            let name = path.file_name().context("a file without a name")?;
            if path.extension().is_some_and(|extension| extension == "toml") {
                std::fs::copy(&path, models.join(name))?;
            } else if path.is_file() {
                symlink(&path, models.join(name))?;
            }
        }
        Ok(Self {
            folder,
            root: root.to_owned(),
        })
    }

    pub fn settings(&self) -> PathBuf {
        self.folder.path().join("settings.toml")
    }

    /// Writes the bundled settings of `pair`, with this alpha, on ports that the system chooses.
    pub fn write_settings(&self, pair: ModelPair, alpha: f64) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(self.root.join(pair.settings()))?;
        let mut document: DocumentMut = text.parse()?;
        for key in ["standard", "robust"] {
            let bundled = document["models"][key].as_str().context("models are missing")?;
            let name = Path::new(bundled).file_name().context("a model without a name")?;
            let path = self.folder.path().join("models").join(name);
            document["models"][key] = value(path_text(&path)?);
        }
        document["runtime"]["library"] = value(path_text(&self.root.join(".runtime/onnxruntime/libonnxruntime.so"))?);
        document["runtime"]["provider"] = value("cpu");
        document["server"]["listen"] = value("127.0.0.1:0");
        document["server"]["bearer_token_file"] = value(path_text(&self.tokens())?);
        document["metrics"]["listen"] = value("127.0.0.1:0");
        document["mixture"]["alpha"] = value(alpha);
        self.replace(&self.settings(), &document.to_string())
    }

    /// Writes settings that the server must refuse.
    pub fn write_refused_settings(&self) -> anyhow::Result<()> {
        self.write_settings(ModelPair::Lipschitz, 7.0)
    }

    pub fn write_tokens(&self, tokens: &[&str]) -> anyhow::Result<()> {
        self.replace(&self.tokens(), &(tokens.join("\n") + "\n"))
    }

    /// Writes the manifest of the standard model again, with another comment at its end.
    pub fn touch_manifest(&self, turn: u64) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(self.root.join("models/cifar10/standard.toml"))?;
        let path = self.folder.path().join("models/standard.toml");
        self.replace(&path, &format!("{text}\n# turn {turn}\n"))
    }

    fn tokens(&self) -> PathBuf {
        self.folder.path().join("tokens")
    }

    /// Replaces a file as a whole, so that the server never reads half of it.
    fn replace(&self, path: &Path, text: &str) -> anyhow::Result<()> {
        let mut new = tempfile::NamedTempFile::new_in(self.folder.path())?;
        std::io::Write::write_all(&mut new, text.as_bytes())?;
        new.persist(path)?;
        Ok(())
    }
}

fn path_text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path is not UTF-8")
}
