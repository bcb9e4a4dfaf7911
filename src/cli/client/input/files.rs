//! Reads input files. The content of a file decides its format, and the extension only tells which
//! files of a directory are inputs.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use anyhow::{Context as _, bail};

use super::model_input::{AcceptedInput, ModelInput};
use super::npy;
use crate::evaluation::{decode_image, is_image, is_npy};
use crate::rpc::proto::DataType;

/// The extensions of the files that are read from a directory, in lower case.
const EXTENSIONS: [&str; 6] = ["bmp", "jpeg", "jpg", "npy", "png", "webp"];

/// The name of an input from stdin.
pub(super) const STDIN_NAME: &str = "stdin";

/// The most bytes of an array, which may hold a batch. It bounds a pipe that never ends.
const MAX_ARRAY_BYTES: u64 = 4 << 30;
/// The most bytes of an image file.
const MAX_IMAGE_BYTES: u64 = 256 << 20;
/// The bytes at the beginning of a file that tell its format.
const MAGIC_BYTES: u64 = 64;

/// Whether a file in a directory is an input, by its extension.
pub(super) fn is_input_file(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}

/// Reads one file. An image holds one input, an array one or several.
///
/// # Errors
/// When the file cannot be read or does not fit the model. The message names the file, its content
/// and the expected content.
pub fn read_file(path: &Path, spec: &AcceptedInput, resize: bool) -> anyhow::Result<Vec<ModelInput>> {
    let name = path.display().to_string();
    let read = || {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            bail!("is a directory");
        }
        parse(read_all(file)?, &name, spec, resize)
    };
    read().with_context(|| name.clone())
}

/// Reads stdin to its end: one image or one array.
///
/// # Errors
/// As for [`read_file`].
pub(super) fn read_stdin(spec: &AcceptedInput, resize: bool) -> anyhow::Result<Vec<ModelInput>> {
    let read = || parse(read_all(io::stdin().lock())?, STDIN_NAME, spec, resize);
    read().context(STDIN_NAME)
}

/// Reads a file of a known format to its end. Of other files only the beginning is read.
fn read_all(mut content: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.by_ref().take(MAGIC_BYTES).read_to_end(&mut bytes)?;
    let most = if is_npy(&bytes) {
        MAX_ARRAY_BYTES
    } else if is_image(&bytes) {
        MAX_IMAGE_BYTES
    } else {
        return Ok(bytes);
    };
    content.take(most).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        bail!("has more than {most} bytes");
    }
    Ok(bytes)
}

/// The inputs in the content of a file.
pub(super) fn parse(bytes: Vec<u8>, name: &str, spec: &AcceptedInput, resize: bool) -> anyhow::Result<Vec<ModelInput>> {
    if bytes.is_empty() {
        bail!("is empty, expected an image or a NumPy array");
    }
    if is_npy(&bytes) {
        return npy::read_npy(&bytes, name, spec);
    }
    let Some(image) = decode_image(Cursor::new(bytes))? else {
        bail!("is none of PNG, JPEG, WebP, BMP and .npy, which this command reads by their content");
    };
    let (data, conversions) = image.into_bytes(&spec.image(), resize)?;
    Ok(vec![ModelInput {
        name: name.to_owned(),
        dtype: DataType::Uint8,
        shape: spec.shape.iter().filter_map(|&side| i64::try_from(side).ok()).collect(),
        data,
        conversions,
    }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::error_text;

    fn message(name: &str, content: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let read = read_file(&path, &AcceptedInput::of_unit_range(&[3, 2, 2]), false);
        let text = read.map_or_else(|error| error_text(&error), |inputs| format!("{inputs:?}"));
        text.replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn every_error_names_the_file_once_and_says_what_was_expected() {
        for (name, content, expected) in [
            ("a.png", &b""[..], "is empty"),
            ("a.png", b"plain text", "none of PNG, JPEG, WebP, BMP and .npy"),
            ("a.gif", b"GIF89a..", "none of PNG, JPEG, WebP, BMP and .npy"),
            ("a.png", b"\x89PNG\r\n\x1a\n....", "a.png: "),
            ("a.npy", b"\x93NUMPY\x01\x00", "not a NumPy array"),
            ("a.jpg", b"\xff\xd8\xff\xe0....", "a.jpg: "),
        ] {
            let text = message(name, content);
            assert!(
                text.starts_with(&format!("{name}: ")) && text.contains(expected),
                "{text}"
            );
            assert_eq!(text.matches(name).count(), 1, "{text}");
        }
        let text = read_file(Path::new("missing.png"), &AcceptedInput::of_unit_range(&[1]), false)
            .map_or_else(|error| error_text(&error), |_| String::new());
        assert!(text.starts_with("missing.png: No such file"), "{text}");
    }

    #[test]
    fn an_endless_file_is_not_read() {
        let text = read_file(Path::new("/dev/zero"), &AcceptedInput::of_unit_range(&[1]), false)
            .map_or_else(|error| error_text(&error), |_| String::new());
        assert!(text.starts_with("/dev/zero: is none of PNG"), "{text}");
    }

    /// A bitmap of 100 bytes that declares 65,535 times 65,535 pixels.
    #[test]
    fn an_image_that_declares_a_huge_size_reserves_no_memory() {
        let mut bitmap = b"BM\x64\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xff\xff\0\0\xff\xff\0\0\x01\0\x18\0".to_vec();
        bitmap.resize(100, 0);
        let text = message("a.bmp", &bitmap);
        assert!(text.contains("65535x65535") && text.contains("at most"), "{text}");
    }

    #[test]
    fn the_extension_selects_the_files_of_a_directory() {
        for name in ["a.png", "b.JPG", "c.jpeg", "d.webp", "e.BMP", "f.npy"] {
            assert!(is_input_file(Path::new(name)), "{name}");
        }
        for name in ["png", ".png", "a.txt", "b.gif", "c"] {
            assert!(!is_input_file(Path::new(name)), "{name}");
        }
    }
}
