//! What was measured on: for the machine's line of each section.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use procfs::{CpuInfo, Current as _, Meminfo};
use serde::{Deserialize, Serialize};

/// When, where and of what a section was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub date: String,
    pub machine: String,
    pub onnxruntime: String,
    pub revision: String,
    /// Quick runs are for a look, not for a report.
    pub quick: bool,
    /// The name of another binary than the one of the revision.
    pub other_server: Option<String>,
}

impl Origin {
    #[expect(
        clippy::disallowed_methods,
        reason = "the date of a report, which nothing is computed from"
    )]
    pub fn now(root: &Path, library: &Path, quick: bool, other_server: Option<&Path>) -> anyhow::Result<Self> {
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
            onnxruntime: onnxruntime(library).unwrap_or_else(|| "unknown".to_owned()),
            revision: revision(root).unwrap_or_else(|| "unknown".to_owned()),
            quick,
            other_server: other_server
                .and_then(Path::file_name)
                .map(|name| name.to_string_lossy().into_owned()),
        })
    }

    /// One line.
    pub fn line(&self) -> String {
        let Self {
            date,
            machine,
            onnxruntime,
            revision,
            ..
        } = self;
        let quick = if self.quick { ", a QUICK run" } else { "" };
        let other = self
            .other_server
            .as_ref()
            .map_or_else(String::new, |name| format!(", ANOTHER SERVER BINARY: {name}"));
        format!("{machine}; ONNX Runtime {onnxruntime}; revision {revision}; {date}{quick}{other}")
    }
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(root).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The commit, and whether the sources differ from it.
fn revision(root: &Path) -> Option<String> {
    let commit = git(root, &["rev-parse", "--short=10", "HEAD"])?;
    let changed = git(
        root,
        &["status", "--porcelain", "--", "src", "Cargo.lock", "build.rs", "proto"],
    )?;
    let mark = if changed.is_empty() { "" } else { " with changes" };
    Some(commit + mark)
}

/// The version, from the last line that the runtime's build information has it in, or else from what fetched it.
fn onnxruntime(library: &Path) -> Option<String> {
    let script = library.ancestors().nth(3)?.join("scripts/fetch_onnxruntime.py");
    let text = std::fs::read_to_string(script).ok()?;
    let (_, rest) = text.split_once("\nVERSION = \"")?;
    rest.split('"').next().map(str::to_owned)
}
