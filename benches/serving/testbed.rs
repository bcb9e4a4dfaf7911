//! Starts servers and bare sessions on the same models, and makes requests for them.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use certimix::rpc::open_inference::proto::ModelInferRequest;
use certimix::rpc::open_inference::proto::model_infer_request::InferInputTensor;
use certimix::rpc::proto::{CertifyRequest, PredictRequest, Tensor};
use ort::environment::Environment;
use tempfile::TempDir;

use crate::bare_runtime::{BareModel, BareModelPair};
use crate::inputs::{image_as_floats, image_tensor, read_images, state_tensor, state_vectors};
use crate::raw_client::EncodedCall;
use crate::server_process::ServerProcess;

/// The models that a case uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelSet {
    /// The bundled models, without a guarantee of the robust one. A request is one row of each.
    Unproven,
    /// The bundled models, with the robust one smoothed. A request is one row of the standard model
    /// and many votes of the robust one.
    Smoothed,
    /// Two policies of a few thousand weights.
    Tiny,
}

/// The threads on which the peer runs its models.
#[derive(Debug, Clone, Copy)]
pub enum PeerThreads {
    /// The thread of its event loop.
    EventLoop,
    /// Two threads, so that both models of a request run at once.
    TwoForModels,
}

/// The settings of `config/cifar10-smoothed.toml` that limit votes, and a long time for a request.
pub const VOTE_SETTINGS: &[(&str, &str)] = &[
    ("certificate.predict_votes", "240"),
    ("certificate.predict_target_radius", "0.1411764705882353"),
    ("server.max_request_time", "\"300s\""),
];

pub struct Testbed {
    pub root: PathBuf,
    pub binary: PathBuf,
    /// Settings that an older binary may reject.
    current_settings: &'static str,
    pub environment: Environment,
    pub library: PathBuf,
    images: Vec<Vec<u8>>,
}

impl Testbed {
    /// Uses the server binary of this build, or `other_binary`.
    pub fn new(
        root: PathBuf,
        other_binary: Option<PathBuf>,
        library: PathBuf,
        environment: Environment,
    ) -> anyhow::Result<Self> {
        let images = read_images(&root.join("models/cifar10/test_100.png"))?;
        let current_settings = if other_binary.is_some() {
            ""
        } else {
            "metrics.listen = \"127.0.0.1:0\"\n"
        };
        Ok(Self {
            root,
            binary: other_binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_certimix").into()),
            current_settings,
            environment,
            library,
            images,
        })
    }

    /// The ONNX files of the standard and the robust model.
    fn model_files(&self, models: ModelSet) -> (PathBuf, PathBuf) {
        let in_root = |path: &str| self.root.join(path);
        match models {
            ModelSet::Tiny => (
                in_root("tests/fixtures/policy_g.onnx"),
                in_root("tests/fixtures/policy_h.onnx"),
            ),
            _ => (
                in_root("models/cifar10/standard.onnx"),
                in_root("models/cifar10/smoothed-025.onnx"),
            ),
        }
    }

    /// Starts the server with default settings and `settings`.
    pub fn start_server(&self, models: ModelSet, settings: &[(&str, &str)]) -> anyhow::Result<ConfiguredServer> {
        let folder = TempDir::new()?;
        let settings_file = self.write_settings(folder.path(), models, settings)?;
        Ok(ConfiguredServer {
            process: ServerProcess::start(&self.binary, &[OsStr::new("serve"), settings_file.as_os_str()])?,
            settings_file,
            _folder: folder,
        })
    }

    /// Starts the server of `models` with a Unix socket too, which lies in `folder`. Returns its path.
    pub fn start_server_with_socket(
        &self,
        models: ModelSet,
        folder: &Path,
    ) -> anyhow::Result<(ConfiguredServer, PathBuf)> {
        let socket = folder.join("certimix.sock");
        let setting = format!("{:?}", socket.display().to_string());
        let server = self.start_server(models, &[("server.unix_socket", &setting)])?;
        Ok((server, socket))
    }

    /// Starts an echo of the response to Predict of `server`, so that both encode and send the same
    /// bytes. The response lies in `folder`. Returns its length too.
    pub fn start_echo(
        &self,
        server: &ServerProcess,
        models: ModelSet,
        folder: &Path,
    ) -> anyhow::Result<(ServerProcess, usize)> {
        let call = EncodedCall::new("Predict", &self.predict_requests(models))?;
        let file = folder.join("response.bin");
        let response = server.call_raw(&call)?;
        std::fs::write(&file, &response)?;
        let arguments = [OsStr::new("--bench"), OsStr::new("--echo"), file.as_os_str()];
        let echo = ServerProcess::start(&std::env::current_exe()?, &arguments)?;
        Ok((echo, response.len()))
    }

    /// Starts the server in Python that answers ModelInfer with the same models.
    pub fn start_peer(&self, models: ModelSet, threads: PeerThreads) -> anyhow::Result<ServerProcess> {
        let packages = self.root.join(".runtime/python");
        ensure!(
            packages.join("installed").is_file(),
            "the peer's packages are not in {}: run `make python-packages`",
            packages.display()
        );
        let (standard, robust) = self.model_files(models);
        let script = self.root.join("benches/serving/peer_server.py");
        let mut arguments: Vec<&OsStr> = vec![OsStr::new("-s"), OsStr::new("-B"), script.as_os_str()];
        for (name, path) in [
            ("--packages", &packages),
            ("--standard", &standard),
            ("--robust", &robust),
        ] {
            arguments.extend([OsStr::new(name), path.as_os_str()]);
        }
        let threads = match threads {
            PeerThreads::EventLoop => "0",
            PeerThreads::TwoForModels => "2",
        };
        arguments.extend([OsStr::new("--threads"), OsStr::new(threads)]);
        ServerProcess::start(Path::new("python3"), &arguments)
    }

    /// Writes a settings file with `settings` into `folder`, and returns its path.
    pub fn write_settings(
        &self,
        folder: &Path,
        models: ModelSet,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<PathBuf> {
        let (standard, robust) = self.model_files(models);
        let manifest = robust.with_extension("toml");
        let robust_manifest = if models == ModelSet::Unproven {
            let path = folder.join("unproven.toml");
            std::fs::write(&path, without_guarantee(&std::fs::read_to_string(manifest)?, &robust)?)?;
            path
        } else {
            manifest
        };
        let mut text = String::new();
        for (key, path) in [
            ("models.standard", &standard.with_extension("toml")),
            ("models.robust", &robust_manifest),
            ("runtime.library", &self.library),
        ] {
            writeln!(text, "{key} = {:?}", path.to_str().context("a path is not UTF-8")?)?;
        }
        writeln!(text, "runtime.provider = \"cpu\"\nserver.listen = \"127.0.0.1:0\"")?;
        text.push_str(self.current_settings);
        for (key, value) in settings {
            writeln!(text, "{key} = {value}")?;
        }
        let settings_file = folder.join("settings.toml");
        std::fs::write(&settings_file, text)?;
        Ok(settings_file)
    }

    /// Writes a data set of `inputs` images in the binary format of CIFAR-10, all of the class 0.
    pub fn write_data_set(&self, file: &Path, inputs: u64) -> anyhow::Result<()> {
        let mut writer = BufWriter::new(File::create(file)?);
        for (_, image) in (0..inputs).zip(self.images.iter().cycle()) {
            writer.write_all(&[0])?;
            writer.write_all(image)?;
        }
        Ok(writer.flush()?)
    }

    /// Opens a pair of bare sessions for each processor.
    pub fn open_bare_pairs(&self, models: ModelSet) -> anyhow::Result<Vec<BareModelPair>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (standard, robust) = self.model_files(models);
        let (shape, rows) = match models {
            ModelSet::Tiny => (vec![8], state_vectors()),
            _ => (
                vec![3, 32, 32],
                self.images.iter().map(|image| image_as_floats(image)).collect(),
            ),
        };
        let open = |file: &Path| BareModel::open(&self.environment, file, &shape, &rows);
        (0..threads)
            .map(|_| {
                Ok(BareModelPair {
                    standard: open(&standard)?,
                    robust: open(&robust)?,
                })
            })
            .collect()
    }

    /// Requests of Predict with one input each.
    pub fn predict_requests(&self, models: ModelSet) -> Vec<PredictRequest> {
        let request = |inputs| PredictRequest {
            inputs: Some(inputs),
            ..PredictRequest::default()
        };
        self.tensors(models).into_iter().map(request).collect()
    }

    /// Requests of ModelInfer with one input each, of the same values as [`Self::predict_requests`].
    pub fn infer_requests(&self, models: ModelSet) -> Vec<ModelInferRequest> {
        let request = |tensor: Tensor| ModelInferRequest {
            model_name: "certimix".to_owned(),
            inputs: vec![InferInputTensor {
                name: "input".to_owned(),
                datatype: if models == ModelSet::Tiny { "FP32" } else { "UINT8" }.to_owned(),
                shape: tensor.shape,
                ..InferInputTensor::default()
            }],
            raw_input_contents: vec![tensor.data],
            ..ModelInferRequest::default()
        };
        self.tensors(models).into_iter().map(request).collect()
    }

    /// Requests of Certify with one input each, which use the whole budget.
    pub fn certify_requests(&self, vote_budget: u64) -> Vec<CertifyRequest> {
        let request = |inputs| CertifyRequest {
            inputs: Some(inputs),
            vote_budget: Some(vote_budget),
            ..CertifyRequest::default()
        };
        self.tensors(ModelSet::Smoothed).into_iter().map(request).collect()
    }

    /// A Predict with `rows` inputs of the bundled models.
    pub fn large_predict_request(&self, rows: usize) -> PredictRequest {
        let images: Vec<u8> = self.images.iter().cycle().take(rows).flatten().copied().collect();
        let mut inputs = image_tensor(&images);
        inputs.shape = vec![rows as i64, 3, 32, 32];
        PredictRequest {
            inputs: Some(inputs),
            ..PredictRequest::default()
        }
    }

    fn tensors(&self, models: ModelSet) -> Vec<Tensor> {
        match models {
            ModelSet::Tiny => state_vectors().iter().map(|state| state_tensor(state)).collect(),
            _ => self.images.iter().map(|image| image_tensor(image)).collect(),
        }
    }
}

/// A server and the folder of its files.
pub struct ConfiguredServer {
    pub process: ServerProcess,
    /// The server reloads this file when it changes.
    pub settings_file: PathBuf,
    _folder: TempDir,
}

/// A copy of a manifest that gives `file` as an absolute path and no guarantee.
fn without_guarantee(manifest: &str, file: &Path) -> anyhow::Result<String> {
    let (before, _) = manifest
        .split_once("[guarantee]")
        .context("the manifest has no guarantee")?;
    let file = format!("file = {:?}", file.to_str().context("a path is not UTF-8")?);
    let lines = before
        .lines()
        .map(|line| if line.starts_with("file = ") { &file } else { line });
    let kept: Vec<&str> = lines.collect();
    Ok(format!(
        "{}\n[guarantee]\nkind = \"none\"\nsource = \"the serving benchmark\"\n",
        kept.join("\n")
    ))
}
