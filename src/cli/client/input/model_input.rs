//! Files in, inputs of the model out.

use std::path::{Path, PathBuf};

use anyhow::bail;
use sha2::{Digest as _, Sha256};

use crate::cli::client::input::image;
use crate::cli::client::input::npy;
use crate::domain::hex;
use crate::rpc::proto::{DataType, InputInfo};

/// What the model takes.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSpec {
    /// One input, without N.
    pub shape: Vec<usize>,
    /// Whether bytes stand for u / 255.
    pub accepts_uint8: bool,
    /// The smallest value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
}

impl InputSpec {
    /// As the server told it.
    ///
    /// # Errors
    /// When a dimension is not positive, which no server may say.
    pub fn from_info(info: &InputInfo) -> anyhow::Result<Self> {
        let shape: Vec<usize> = info
            .shape
            .iter()
            .filter_map(|&side| usize::try_from(side).ok())
            .collect();
        if shape.len() != info.shape.len() || shape.contains(&0) {
            bail!("the server says that its inputs have the shape {:?}", info.shape);
        }
        Ok(Self {
            shape,
            accepts_uint8: info.accepts_uint8,
            low: info.low,
            high: info.high,
        })
    }
}

/// One input of the model, as it goes over the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The file, with `[i]` behind it for input i of a batch.
    pub name: String,
    /// What the bytes are.
    pub dtype: DataType,
    /// One input, without N.
    pub shape: Vec<i64>,
    /// The values, row-major, little-endian.
    pub data: Vec<u8>,
    /// Whether the image was resized to fit.
    pub resized: bool,
}

impl Input {
    /// SHA-256 of the values as sent, hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(&self.data))
    }
}

/// Reads one file: an image holds one input, an array one or many.
///
/// # Errors
/// When the file cannot be read or does not fit the model; the message names the file, what it holds and what was
/// expected.
pub fn read_file(path: &Path, spec: &InputSpec, resize: bool) -> anyhow::Result<Vec<Input>> {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
        .to_ascii_lowercase();
    match extension.as_str() {
        "npy" => npy::read(path, spec),
        "png" | "jpg" | "jpeg" => Ok(vec![image::read(path, spec, resize)?]),
        _ => bail!("{}: expected .png, .jpg, .jpeg or .npy", path.display()),
    }
}

/// Reads every file before anything is sent, and tells all that are wrong, not only the first.
pub(crate) fn read_files(files: &[PathBuf], spec: &InputSpec, resize: bool) -> anyhow::Result<Vec<Input>> {
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
    fn the_hash_is_that_of_the_values() {
        let input = Input {
            name: "x".into(),
            dtype: DataType::Uint8,
            shape: vec![0],
            data: vec![],
            resized: false,
        };
        assert_eq!(
            input.sha256(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn all_wrong_files_are_told() {
        let spec = InputSpec {
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

    #[test]
    fn a_server_with_an_impossible_shape_is_not_believed() {
        let info = InputInfo {
            shape: vec![3, -1],
            ..InputInfo::default()
        };
        assert!(InputSpec::from_info(&info).is_err());
    }
}
