//! Runs the prover of the `certimix_models` package.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::cli::progress_bar::status_line;

/// The folders in which a checkout of the repository has the package and what it needs.
const PACKAGE_FOLDERS: [&str; 2] = ["models", ".runtime/python"];

/// The time between two pictures of the spinner.
const TICK: Duration = Duration::from_millis(100);

/// What the prover proves about a network.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) struct Proof {
    /// The vector of logits is Lipschitz with this constant, in l2.
    pub(super) constant: f64,
    /// The bound on the rounding error of each logit, for inputs in the range.
    pub(super) logit_error_bound: f64,
}

/// The command that a person can run for the same result.
pub(super) fn shown_command(model: &Path, [low, high]: [f64; 2]) -> String {
    format!(
        "PYTHONPATH=models python3 -m certimix_models prove {} --range {low} {high} --write",
        model.display()
    )
}

/// Proves the Lipschitz constant of the network in `model`, for inputs of `shape` in `range`.
///
/// # Errors
/// If the prover cannot be run, or does not know the network.
pub(super) fn prove(python: &Path, model: &Path, shape: &[usize], [low, high]: [f64; 2]) -> anyhow::Result<Proof> {
    // The prover prefers a manifest beside the file to the range that it is given. Nothing is beside
    // this link.
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let link = folder.path().join("model.onnx");
    let model = std::path::absolute(model)?;
    std::os::unix::fs::symlink(&model, &link).context("cannot link the ONNX file")?;
    let lengths: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let mut command = Command::new(python);
    command
        .args(["-m", "certimix_models", "prove"])
        .arg(&link)
        .args(["--json", "--no-float64", "--shape", &lengths.join(",")])
        .args(["--range", &low.to_string(), &high.to_string()]);
    if let Some(path) = python_path() {
        command.env("PYTHONPATH", path);
    }
    let line = status_line();
    line.set_message(format!("proving the Lipschitz constant of {}", model.display()));
    line.enable_steady_tick(TICK);
    let output = command.output();
    line.finish_and_clear();
    let output = output.with_context(|| format!("cannot run {}", python.display()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let reason = text.trim().lines().last().unwrap_or("it gives no reason");
        bail!("{} -m certimix_models prove: {reason}", python.display());
    }
    let proof: Proof =
        serde_json::from_slice(&output.stdout).context("the prover's answer is not the expected JSON")?;
    let is_bound = |value: f64| value.is_finite() && value >= 0.0;
    if !is_bound(proof.constant) || !is_bound(proof.logit_error_bound) {
        bail!(
            "the prover returned the constant {} and the error bound {}, which are no bounds",
            proof.constant,
            proof.logit_error_bound
        );
    }
    Ok(proof)
}

/// `PYTHONPATH` with the folders of a checkout, if the command runs in one.
fn python_path() -> Option<OsString> {
    let folders: Vec<PathBuf> = PACKAGE_FOLDERS
        .iter()
        .filter_map(|folder| std::path::absolute(folder).ok())
        .filter(|folder| folder.is_dir())
        .collect();
    let inherited = std::env::var_os("PYTHONPATH").unwrap_or_default();
    let all = std::env::split_paths(&inherited).chain(folders);
    std::env::join_paths(all).ok().filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_read_from_the_answer_of_the_prover() {
        let proof: Proof =
            serde_json::from_str(r#"{"name": "h", "constant": 1.0000076, "logit_error_bound": 0.2, "steps": []}"#)
                .unwrap();
        assert_eq!((proof.constant, proof.logit_error_bound), (1.000_007_6, 0.2));
    }

    #[test]
    fn an_absent_python_is_named() {
        let error = prove(Path::new("/absent/python"), Path::new("h.onnx"), &[4], [0.0, 1.0]).unwrap_err();
        assert!(error.to_string().contains("cannot run /absent/python"), "{error}");
    }
}
