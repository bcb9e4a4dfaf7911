//! When, where and on what a case was measured.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use procfs::{CpuInfo, Current as _, Meminfo};
use serde::{Deserialize, Serialize};

/// The circumstances of a measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    pub date: String,
    pub machine: String,
    pub onnxruntime: String,
    pub revision: String,
    /// A quick run checks that the benchmark works; its figures are not for a report.
    pub quick: bool,
    /// The file name of the server binary, if it is not the one of the revision.
    pub other_server: Option<String>,
}

impl Provenance {
    #[expect(
        clippy::disallowed_methods,
        reason = "the date appears in the report; nothing is computed from it"
    )]
    pub fn collect(root: &Path, library: &Path, quick: bool, other_server: Option<&Path>) -> anyhow::Result<Self> {
        let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cpu = CpuInfo::current()?;
        let model = cpu.model_name(0).unwrap_or("unknown processor").to_owned();
        let gib = Meminfo::current()?.mem_total as f64 / f64::from(1 << 30);
        let kernel = procfs::sys::kernel::Version::current()?;
        let kernel = format!("{}.{}.{}", kernel.major, kernel.minor, kernel.patch);
        Ok(Self {
            date,
            machine: format!("{cores} cores of {model}, {gib:.0} GiB, Linux {kernel}"),
            onnxruntime: onnxruntime_version(library).unwrap_or_else(|| "unknown".to_owned()),
            revision: git_revision(root).unwrap_or_else(|| "unknown".to_owned()),
            quick,
            other_server: other_server
                .and_then(Path::file_name)
                .map(|name| name.to_string_lossy().into_owned()),
        })
    }

    /// One line for the report.
    pub fn line(&self) -> String {
        let Self {
            date,
            machine,
            onnxruntime,
            revision,
            ..
        } = self;
        let quick = if self.quick { ", **a quick run**" } else { "" };
        let other = self
            .other_server
            .as_ref()
            .map_or_else(String::new, |name| format!(", **another server binary**: {name}"));
        format!("{machine}; ONNX Runtime {onnxruntime}; revision {revision}; {date}{quick}{other}")
    }
}

fn git_output(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(root).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The commit, with a mark if the sources differ from it.
fn git_revision(root: &Path) -> Option<String> {
    let commit = git_output(root, &["rev-parse", "--short=10", "HEAD"])?;
    let changed = git_output(
        root,
        &["status", "--porcelain", "--", "src", "Cargo.lock", "build.rs", "proto"],
    )?;
    let mark = if changed.is_empty() { "" } else { " with changes" };
    Some(commit + mark)
}

/// The version that the script which fetches the library pins.
fn onnxruntime_version(library: &Path) -> Option<String> {
    let script = library.ancestors().nth(3)?.join("scripts/fetch_onnxruntime.py");
    let text = std::fs::read_to_string(script).ok()?;
    let (_, rest) = text.split_once("\nVERSION = \"")?;
    rest.split('"').next().map(str::to_owned)
}
