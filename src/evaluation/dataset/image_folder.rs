//! A folder of images, with one subfolder for each class.

use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::class_labels::{class_of_number, class_of_text};
use super::entry::{DataSetEntry, Sink};
use super::image::{AcceptedImage, decode};
use super::input_check::input_of_bytes;
use crate::domain::{Input, InputSpec};
use crate::evaluation::error::EvaluationError;

/// The extensions of images, in lower case.
const EXTENSIONS: [&str; 5] = ["bmp", "jpeg", "jpg", "png", "webp"];

/// The images of a folder, in the order of their paths.
pub(super) struct ImageFolder {
    root: PathBuf,
    /// The path below the root, and the class.
    images: Vec<(PathBuf, u32)>,
}

impl ImageFolder {
    /// Lists the images below `root`. The name of a subfolder is that of a class, or its number. With
    /// `sorted_classes`, the subfolders are the classes in their order instead.
    pub(super) fn list(root: &Path, labels: &[String], sorted_classes: bool) -> Result<Self, EvaluationError> {
        let error = |reason: String| EvaluationError::file(root, reason);
        let mut folders = Vec::new();
        for entry in WalkDir::new(root)
            .min_depth(1)
            .max_depth(1)
            .follow_links(true)
            .sort_by_file_name()
        {
            let entry = entry.map_err(|reason| error(reason.to_string()))?;
            if entry.file_type().is_dir() {
                folders.push(entry.into_path());
            }
        }
        if sorted_classes && folders.len() != labels.len() {
            return Err(error(format!(
                "has {} subfolders, expected one for each of the {} classes",
                folders.len(),
                labels.len()
            )));
        }
        let mut images = Vec::new();
        for (position, folder) in folders.iter().enumerate() {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let class = if sorted_classes {
                class_of_number(labels, i64::try_from(position).unwrap_or(-1))
            } else {
                class_of_text(labels, &name)
            };
            let class = class.map_err(|reason| {
                EvaluationError::file(
                    folder,
                    format!("the folder of a class: {reason}; --sorted-classes numbers the folders in their order"),
                )
            })?;
            for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
                let entry = entry.map_err(|reason| error(reason.to_string()))?;
                if entry.file_type().is_file() && is_image_file(entry.path()) {
                    let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
                    images.push((below.to_path_buf(), class));
                }
            }
        }
        if images.is_empty() {
            return Err(error(
                "has no subfolder with PNG, JPEG, WebP or BMP images, expected one subfolder for each class".to_owned(),
            ));
        }
        Ok(Self {
            root: root.to_path_buf(),
            images,
        })
    }

    /// The number of images.
    pub(super) fn rows(&self) -> u64 {
        self.images.len() as u64
    }

    /// The paths below the root.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.images.iter().map(|(path, _)| path.as_path())
    }

    /// Passes the images from `first` on to `sink`.
    pub(super) fn read(&self, spec: &InputSpec, resize: bool, first: u64, sink: &mut Sink<'_>) {
        let skipped = usize::try_from(first).unwrap_or(usize::MAX);
        for (index, (path, class)) in (0..).zip(&self.images).skip(skipped) {
            let read = read_image(&self.root.join(path), spec, resize).map(|input| (input, Some(*class)));
            let entry = DataSetEntry::new(index, path.to_string_lossy().into_owned(), read);
            if sink(entry) == ControlFlow::Break(()) {
                return;
            }
        }
    }
}

fn is_image_file(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}

fn read_image(path: &Path, spec: &InputSpec, resize: bool) -> Result<Input, String> {
    let read = || -> anyhow::Result<Vec<u8>> {
        let Some(image) = decode(BufReader::new(File::open(path)?))? else {
            anyhow::bail!("is none of PNG, JPEG, WebP and BMP");
        };
        let accepted = AcceptedImage {
            shape: &spec.shape,
            accepts_uint8: spec.accepts_uint8(),
            low: spec.low,
            high: spec.high,
        };
        Ok(image.into_bytes(&accepted, resize)?.0)
    };
    input_of_bytes(spec, read().map_err(|error| error.to_string())?)
}
