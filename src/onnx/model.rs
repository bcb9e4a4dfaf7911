//! A model: a manifest and an ONNX file, checked against each other.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{TensorElementType, ValueType};
use sha2::{Digest, Sha256};

use super::graph::{NotOneFile, check_deterministic, check_one_file, prove_row_independence};
use super::provider::{self, ProviderInUse};
use super::{Manifest, OnnxError, OnnxSession, OutputKind, Runtime};
use crate::domain::{Guarantee, InputSpec, Violations, hex};
use crate::settings::Provider;

/// A model that can be served: its file is the one its manifest speaks of, and does what the manifest says.
#[derive(Debug)]
pub struct Model {
    /// What it is.
    pub manifest: Manifest,
    /// Where it runs.
    pub provider: ProviderInUse,
    /// Why the graph is not known to work row by row; none if it is proven. A model with a reason runs one row at a time.
    pub one_row_reason: Option<String>,
    runtime: Runtime,
    bytes: Bytes,
}

impl Model {
    /// Reads the manifest at `path` and its ONNX file, and loads it once.
    ///
    /// # Errors
    /// With what is wrong with the manifest, the file, the provider, or how they fit together.
    pub fn load(runtime: &Runtime, path: &Path, asked: Provider) -> Result<Self, OnnxError> {
        let manifest = Manifest::read(path)?;
        let bytes = std::fs::read(&manifest.file).map_err(|error| OnnxError::Unreadable {
            what: "the ONNX file",
            path: manifest.file.clone(),
            reason: error.to_string(),
        })?;
        let bytes = Bytes::from(bytes);
        let found = hex(&Sha256::digest(&bytes));
        if found != manifest.sha256 {
            return Err(OnnxError::Checksum {
                file: manifest.file.clone(),
                manifest: path.to_path_buf(),
                expected: manifest.sha256,
                found,
            });
        }
        // Before the runtime sees it, which would open whatever file it names.
        let file = || manifest.file.clone();
        let graph = check_one_file(bytes.clone()).map_err(|reason| match reason {
            NotOneFile::NoModel(reason) => OnnxError::NoModel { file: file(), reason },
            NotOneFile::Elsewhere { tensor, location } => OnnxError::ExternalData {
                file: file(),
                tensor,
                location,
            },
        })?;
        check_deterministic(&graph).map_err(|reason| OnnxError::NoFunction { file: file(), reason })?;
        let InputSpec { name, shape, .. } = &manifest.input;
        let one_row_reason = prove_row_independence(&graph, name, shape, &manifest.output_name).err();
        let mut model = Self {
            manifest,
            provider: ProviderInUse::CPU,
            one_row_reason,
            runtime: runtime.clone(),
            bytes,
        };
        // A file that the processor cannot load is wrong by itself: say so before CUDA is tried.
        let session = model.session()?;
        model.check(&session)?;
        model.provider = provider::choose(asked, || {
            let builder = model.builder().map_err(|error| error.to_string())?;
            let mut builder = builder
                .with_execution_providers([provider::cuda()])
                .map_err(|error| error.to_string())?;
            builder
                .commit_from_memory(&model.bytes)
                .map(drop)
                .map_err(|error| error.to_string())
        })?;
        Ok(model)
    }

    /// Opens a session of runs of at most `max_batch_size` rows: one thread's own.
    ///
    /// # Errors
    /// If ONNX Runtime refuses the file or the provider.
    pub fn open(self: &Arc<Self>, max_batch_size: usize) -> Result<OnnxSession, OnnxError> {
        let fixed_batch = matches!(self.manifest.guarantee, Guarantee::GaussianSmoothing { .. });
        OnnxSession::new(Arc::clone(self), self.session()?, max_batch_size, fixed_batch).map_err(|error| {
            OnnxError::Load {
                file: self.manifest.file.clone(),
                reason: error.to_string(),
            }
        })
    }

    fn builder(&self) -> Result<SessionBuilder, OnnxError> {
        let refused = |reason: String| OnnxError::Load {
            file: self.manifest.file.clone(),
            reason,
        };
        // One thread a session and no spinning: several sessions beat one with many threads, and the runtime sizes its
        // pools from the host, not from the cgroup.
        let configured = || -> ort::Result<SessionBuilder> {
            Ok(Session::builder(&self.runtime.environment)?
                .with_optimization_level(GraphOptimizationLevel::All)?
                .with_intra_threads(1)?
                .with_inter_threads(1)?
                .with_intra_op_spinning(false)?
                .with_inter_op_spinning(false)?
                .with_deterministic_compute(true)?)
        };
        configured().map_err(|error| refused(error.to_string()))
    }

    fn session(&self) -> Result<Session, OnnxError> {
        let refused = |reason: String| OnnxError::Load {
            file: self.manifest.file.clone(),
            reason,
        };
        let mut builder = self.builder()?;
        if self.provider.is_cuda() {
            builder = builder
                .with_execution_providers([provider::cuda()])
                .map_err(|error| OnnxError::Cuda {
                    reason: error.to_string(),
                })?;
        }
        builder
            .commit_from_memory(&self.bytes)
            .map_err(|error| refused(error.to_string()))
    }

    /// Compares what the graph declares with the manifest.
    fn check(&self, session: &Session) -> Result<(), OnnxError> {
        let manifest = &self.manifest;
        let mut wrong = Violations::default();
        let inputs: Vec<&str> = session.inputs().iter().map(ort::value::Outlet::name).collect();
        wrong.check(inputs == [manifest.input.name.as_str()], "input.name", || {
            format!(
                "the manifest says \"{}\", the model has {inputs:?}",
                manifest.input.name
            )
        });
        for input in session.inputs() {
            let shape = manifest
                .input
                .shape
                .iter()
                .map(|&length| i64::try_from(length).unwrap_or(i64::MAX));
            compare(input.dtype(), shape, "input.shape", &mut wrong);
        }
        match session
            .outputs()
            .iter()
            .find(|output| output.name() == manifest.output_name)
        {
            Some(output) => {
                let classes = i64::try_from(manifest.classes()).unwrap_or(i64::MAX);
                compare(output.dtype(), std::iter::once(classes), "labels", &mut wrong);
            }
            None => {
                let outputs: Vec<&str> = session.outputs().iter().map(ort::value::Outlet::name).collect();
                wrong.add(
                    "output.name",
                    format!(
                        "the manifest says \"{}\", the model has {outputs:?}",
                        manifest.output_name
                    ),
                );
            }
        }
        wrong.into_result().map_err(|violations| self.mismatch(violations))
    }

    /// Runs each session once on the middle of the range: shapes that the graph leaves open show here.
    ///
    /// # Errors
    /// If the model fails, or its output is not what the manifest says.
    pub fn warm(&self, sessions: &mut [OnnxSession]) -> Result<(), OnnxError> {
        let input = self.middle();
        let mut wrong = Violations::default();
        for session in sessions {
            match session.warm(input.clone()) {
                Err(error) => wrong.add("output.shape", error.to_string()),
                Ok(output) if self.manifest.output_kind == OutputKind::Probabilities => {
                    let sum: f32 = output.iter().sum();
                    let fits = (sum - 1.0).abs() < 1e-3 && output.iter().all(|p| (0.0..=1.0).contains(p));
                    wrong.check(fits, "output.kind", || {
                        format!("the manifest says \"probabilities\", but the output is {output:?}, with the sum {sum}")
                    });
                }
                Ok(_) => {}
            }
        }
        wrong.into_result().map_err(|violations| self.mismatch(violations))
    }

    /// An input in the middle of the range.
    #[must_use]
    pub fn middle(&self) -> Vec<f32> {
        let InputSpec { low, high, .. } = self.manifest.input;
        #[expect(clippy::cast_possible_truncation, reason = "any value in the range will do")]
        let middle = f64::midpoint(low, high) as f32;
        vec![middle; self.manifest.input.dimension()]
    }

    fn mismatch(&self, violations: Violations) -> OnnxError {
        OnnxError::Mismatch {
            file: self.manifest.file.clone(),
            violations,
        }
    }
}

/// Compares a declared tensor with `[N, shape…]` of float32; N and any open axis may be anything.
fn compare(found: &ValueType, shape: impl Iterator<Item = i64>, key: &str, wrong: &mut Violations) {
    let wanted: Vec<i64> = shape.collect();
    let ValueType::Tensor {
        ty, shape: declared, ..
    } = found
    else {
        return wrong.add(key, format!("expected a tensor, the model has {found}"));
    };
    wrong.check(*ty == TensorElementType::Float32, "input.dtype", || {
        format!("expected float32, the model has {ty}")
    });
    let rest = declared.get(1..).unwrap_or_default();
    let fits = declared.len() == wanted.len() + 1
        && rest
            .iter()
            .zip(&wanted)
            .all(|(declared, wanted)| *declared == -1 || declared == wanted);
    wrong.check(fits, key, || {
        format!(
            "the manifest says [N, …] = [N, {}], the model has {declared:?}",
            list(&wanted)
        )
    });
    wrong.check(declared.first() == Some(&-1), key, || {
        format!("the batch axis must be dynamic, the model has {declared:?}; export it with a dynamic first axis")
    });
}

fn list(shape: &[i64]) -> String {
    shape.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

/// Checks that both models take the same input and know the same classes.
///
/// # Errors
/// With everything that differs.
pub fn check_pair(standard: &Manifest, robust: &Manifest) -> Result<(), OnnxError> {
    let mut wrong = Violations::default();
    let (left, right) = (&standard.input, &robust.input);
    wrong.check(left.shape == right.shape, "input.shape", || {
        format!(
            "the standard model takes {:?}, the robust model {:?}",
            left.shape, right.shape
        )
    });
    wrong.check((left.low, left.high) == (right.low, right.high), "input.range", || {
        format!(
            "the standard model takes [{}, {}], the robust model [{}, {}]",
            left.low, left.high, right.low, right.high
        )
    });
    wrong.check(standard.labels == robust.labels, "labels", || {
        format!(
            "the standard model knows {:?}, the robust model {:?}",
            standard.labels, robust.labels
        )
    });
    wrong.into_result().map_err(OnnxError::Pair)
}
