//! Which models are served, with which settings, and what is sent to them.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use certimix::rpc::proto::{CertifyRequest, DataType, PredictRequest, Tensor};
use ort::environment::Environment;
use tempfile::TempDir;

use crate::bare_runtime::{Net, Pair};
use crate::server_process::Server;

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Models {
    /// The bundled pair with nothing proven of h: a request is a row for g and a row for h.
    Pairs,
    /// The bundled pair as it is, with h smoothed: a request is a row for g and votes of h.
    Smoothed,
    /// Two policies of a few thousand weights.
    Tiny,
}

/// Settings beside the models; those of `config/cifar10.toml` where votes are drawn.
pub const VOTES: &[(&str, &str)] = &[
    ("certificate.predict_votes", "240"),
    ("certificate.predict_target_radius", "0.1411764705882353"),
    ("server.max_request_time", "\"300s\""),
];

pub struct World {
    pub root: PathBuf,
    pub binary: PathBuf,
    /// Settings that an older binary may not know.
    own: &'static str,
    pub environment: Environment,
    pub library: PathBuf,
    images: Vec<Vec<u8>>,
}

impl World {
    /// The server is the one of this build unless there is `another`.
    pub fn new(
        root: PathBuf,
        another: Option<PathBuf>,
        library: PathBuf,
        environment: Environment,
    ) -> anyhow::Result<Self> {
        let images = images(&root.join("models/cifar10/test_100.png"))?;
        let own = if another.is_some() {
            ""
        } else {
            "metrics.listen = \"127.0.0.1:0\"\n"
        };
        Ok(Self {
            root,
            binary: another.unwrap_or_else(|| env!("CARGO_BIN_EXE_certimix").into()),
            own,
            environment,
            library,
            images,
        })
    }

    fn files(&self, models: Models) -> (PathBuf, PathBuf) {
        let in_root = |path: &str| self.root.join(path);
        match models {
            Models::Tiny => (
                in_root("tests/fixtures/policy_g.onnx"),
                in_root("tests/fixtures/policy_h.onnx"),
            ),
            _ => (
                in_root("models/cifar10/standard.onnx"),
                in_root("models/cifar10/smoothed-025.onnx"),
            ),
        }
    }

    /// Starts the server under test with the defaults that users get, and `more` settings.
    pub fn serve(&self, models: Models, more: &[(&str, &str)]) -> anyhow::Result<Served> {
        let folder = TempDir::new()?;
        let (g, h) = self.files(models);
        let manifest = h.with_extension("toml");
        let robust = if models == Models::Pairs {
            let path = folder.path().join("unproven.toml");
            std::fs::write(&path, unproven(&std::fs::read_to_string(manifest)?, &h)?)?;
            path
        } else {
            manifest
        };
        let mut text = String::new();
        for (key, path) in [
            ("models.standard", &g.with_extension("toml")),
            ("models.robust", &robust),
            ("runtime.library", &self.library),
        ] {
            writeln!(text, "{key} = {:?}", path.to_str().context("a path that is no text")?)?;
        }
        writeln!(text, "runtime.provider = \"cpu\"\nserver.listen = \"127.0.0.1:0\"")?;
        text.push_str(self.own);
        for (key, value) in more {
            writeln!(text, "{key} = {value}")?;
        }
        let settings = folder.path().join("settings.toml");
        std::fs::write(&settings, text)?;
        Ok(Served {
            server: Server::start(&self.binary, &[OsStr::new("serve"), settings.as_os_str()])?,
            settings,
            _folder: folder,
        })
    }

    /// A pair of bare sessions for each of the threads that there are processors.
    pub fn bare(&self, models: Models) -> anyhow::Result<Vec<Pair>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (g, h) = self.files(models);
        let (shape, rows) = match models {
            Models::Tiny => (vec![8], (0..64).map(state).collect()),
            _ => (vec![3, 32, 32], self.images.iter().map(|image| floats(image)).collect()),
        };
        let rows: Vec<Vec<f32>> = rows;
        let open = |file: &Path| Net::open(&self.environment, file, &shape, &rows);
        (0..threads)
            .map(|_| {
                Ok(Pair {
                    g: open(&g)?,
                    h: open(&h)?,
                })
            })
            .collect()
    }

    /// Predict, one input a request.
    pub fn predictions(&self, models: Models) -> Vec<PredictRequest> {
        let request = |inputs| PredictRequest {
            inputs: Some(inputs),
            ..PredictRequest::default()
        };
        self.tensors(models).into_iter().map(request).collect()
    }

    /// Certify, one input a request, every vote of the budget.
    pub fn certifications(&self, vote_budget: u64) -> Vec<CertifyRequest> {
        let request = |inputs| CertifyRequest {
            inputs: Some(inputs),
            vote_budget: Some(vote_budget),
            ..CertifyRequest::default()
        };
        self.tensors(Models::Smoothed).into_iter().map(request).collect()
    }

    fn tensors(&self, models: Models) -> Vec<Tensor> {
        let tensor = |dtype: DataType, shape: &[i64], data: Vec<u8>| Tensor {
            dtype: dtype.into(),
            shape: shape.to_vec(),
            data: data.into(),
        };
        match models {
            Models::Tiny => (0..64)
                .map(|number| {
                    let bytes = state(number).into_iter().flat_map(f32::to_le_bytes).collect();
                    tensor(DataType::Float32, &[1, 8], bytes)
                })
                .collect(),
            _ => self
                .images
                .iter()
                .map(|image| tensor(DataType::Uint8, &[1, 3, 32, 32], image.clone()))
                .collect(),
        }
    }
}

/// A server and its files.
pub struct Served {
    pub server: Server,
    /// What it reads, and reads again when it changes.
    pub settings: PathBuf,
    _folder: TempDir,
}

/// A state vector in [-1, 1].
fn state(number: u8) -> Vec<f32> {
    (0..8)
        .map(|place| f32::from(number * 3 + place * 5) / 128.0 - 0.9)
        .collect()
}

fn floats(image: &[u8]) -> Vec<f32> {
    image.iter().map(|&level| f32::from(level) / 255.0).collect()
}

/// The images, channels first. The file has one image of 32 x 32 a row.
fn images(path: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let sheet = image::open(path)?.into_rgb8();
    let bytes = sheet.as_raw();
    let row = sheet.width() as usize * 3;
    let channel = |image: &[u8], channel: usize| image.iter().skip(channel).step_by(3).copied().collect::<Vec<u8>>();
    Ok(bytes
        .chunks_exact(row)
        .map(|image| (0..3).flat_map(|number| channel(image, number)).collect())
        .collect())
}

/// A manifest that names `file` wherever it is, and proves nothing.
fn unproven(manifest: &str, file: &Path) -> anyhow::Result<String> {
    let (before, _) = manifest.split_once("[guarantee]").context("no guarantee")?;
    let file = format!("file = {:?}", file.to_str().context("a path that is no text")?);
    let lines = before
        .lines()
        .map(|line| if line.starts_with("file = ") { &file } else { line });
    let kept: Vec<&str> = lines.collect();
    Ok(format!(
        "{}\n[guarantee]\nkind = \"none\"\nsource = \"the serving benchmark\"\n",
        kept.join("\n")
    ))
}
