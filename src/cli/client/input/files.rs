//! Reads input files.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::model_input::{AcceptedInput, ModelInput};
use super::{image, npy};

/// Reads one file. An image holds one input, an array one or several.
///
/// # Errors
/// When the file cannot be read or does not fit the model. The message names the file, its content
/// and the expected content.
pub fn read_file(path: &Path, spec: &AcceptedInput, resize: bool) -> anyhow::Result<Vec<ModelInput>> {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
        .to_ascii_lowercase();
    match extension.as_str() {
        "npy" => npy::read_npy(path, spec),
        "png" | "jpg" | "jpeg" => Ok(vec![image::read_image(path, spec, resize)?]),
        _ => bail!("{}: expected .png, .jpg, .jpeg or .npy", path.display()),
    }
}

/// Reads all files before anything is sent. The error lists every file that is wrong.
pub(in crate::cli::client) fn read_files(
    files: &[PathBuf],
    spec: &AcceptedInput,
    resize: bool,
) -> anyhow::Result<Vec<ModelInput>> {
    let mut inputs = Vec::new();
    let mut errors = Vec::new();
    for path in files {
        match read_file(path, spec, resize) {
            Ok(read) => inputs.extend(read),
            Err(error) => errors.push(format!("{error:#}")),
        }
    }
    match errors.as_slice() {
        [] => Ok(inputs),
        [one] => bail!("{one}"),
        many => bail!(
            "{} of {} files are wrong, nothing was sent:\n  {}",
            many.len(),
            files.len(),
            many.join("\n  ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_file_is_listed() {
        let spec = AcceptedInput {
            shape: vec![3, 2, 2],
            accepts_uint8: true,
            low: 0.0,
            high: 1.0,
        };
        let files = [PathBuf::from("a.gif"), PathBuf::from("missing.png")];
        let text = read_files(&files, &spec, false).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(
            text.contains("2 of 2 files") && text.contains("a.gif") && text.contains("missing.png"),
            "{text}"
        );
    }
}
