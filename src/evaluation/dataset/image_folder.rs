//! A folder of images, with one subfolder for each class.

use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::class_labels::class_of_text;
use super::entry::{DataSetEntry, Sink};
use super::image::{AcceptedImage, decode};
use super::input_check::input_of_bytes;
use crate::domain::{Input, InputSpec};
use crate::evaluation::error::EvaluationError;

/// The extensions of images, in lower case. The last ones are of formats that are not read here, so that
/// such files are named and not passed over.
const EXTENSIONS: [&str; 16] = [
    "bmp", "jpeg", "jpg", "png", "webp", "avif", "gif", "heic", "ico", "jp2", "pgm", "pnm", "ppm", "tga", "tif", "tiff",
];

/// The images of a folder, in the order of their paths.
pub(super) struct ImageFolder {
    root: PathBuf,
    /// The path below the root, and the class or the reason why the image has none.
    images: Vec<(PathBuf, Result<u32, String>)>,
}

impl ImageFolder {
    /// Lists the images below `root`. The name of a subfolder is that of a class, or its number. With
    /// `sorted_classes`, the subfolders are the classes in their order instead.
    pub(super) fn list(root: &Path, labels: &[String], sorted_classes: bool) -> Result<Self, EvaluationError> {
        let error = |reason: String| EvaluationError::file(root, reason);
        let mut folder = Self {
            root: root.to_path_buf(),
            images: Vec::new(),
        };
        let mut classes = 0;
        let walk = WalkDir::new(root).min_depth(1).max_depth(1);
        for entry in walk.follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {
                    let class = class_of_folder(entry.path(), labels, sorted_classes.then_some(classes))?;
                    classes += 1;
                    folder.add_class(entry.path(), class)?;
                }
                Ok(entry) if is_image_file(&entry) => {
                    folder.add(entry.path(), Err("is in no subfolder of a class".to_owned()));
                }
                Ok(_) => {}
                Err(reason) => folder.add_unreadable(&reason)?,
            }
        }
        if sorted_classes && classes != labels.len() {
            return Err(error(format!(
                "has {classes} subfolders, expected one for each of the {} classes",
                labels.len()
            )));
        }
        if folder.images.iter().all(|(_, class)| class.is_err()) {
            return Err(error(
                "has no subfolder with PNG, JPEG, WebP or BMP images, expected one subfolder for each class".to_owned(),
            ));
        }
        Ok(folder)
    }

    /// Adds the images below the folder of a class.
    fn add_class(&mut self, path: &Path, class: u32) -> Result<(), EvaluationError> {
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) if is_image_file(&entry) => self.add(entry.path(), Ok(class)),
                Ok(_) => {}
                Err(reason) => self.add_unreadable(&reason)?,
            }
        }
        Ok(())
    }

    /// Adds a link that leads nowhere or into a circle, or a folder that cannot be read.
    fn add_unreadable(&mut self, reason: &walkdir::Error) -> Result<(), EvaluationError> {
        let path = reason.path().unwrap_or(&self.root).to_path_buf();
        let text = match (reason.loop_ancestor(), reason.io_error()) {
            (Some(ancestor), _) => format!("is a link to {}, which it is in", ancestor.display()),
            (None, Some(error)) => error.to_string(),
            (None, None) => reason.to_string(),
        };
        if path == self.root {
            return Err(EvaluationError::file(&path, text));
        }
        self.add(&path, Err(text));
        Ok(())
    }

    fn add(&mut self, path: &Path, class: Result<u32, String>) {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        self.images.push((below.to_path_buf(), class));
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
            let read = class.clone().and_then(|class| {
                let input = read_image(&self.root.join(path), spec, resize)?;
                Ok((input, Some(class)))
            });
            let entry = DataSetEntry::new(index, path.to_string_lossy().into_owned(), read);
            if sink(entry) == ControlFlow::Break(()) {
                return;
            }
        }
    }
}

/// The class of a folder: its name, or its position among the folders.
fn class_of_folder(path: &Path, labels: &[String], position: Option<usize>) -> Result<u32, EvaluationError> {
    let class = match position {
        // The number of the folders is compared with that of the classes later.
        Some(position) => return Ok(u32::try_from(position).unwrap_or(u32::MAX)),
        None => class_of_text(labels, &path.file_name().unwrap_or_default().to_string_lossy()),
    };
    class.map_err(|reason| {
        EvaluationError::file(
            path,
            format!("the folder of a class: {reason}; --sorted-classes numbers the folders in their order"),
        )
    })
}

fn is_image_file(entry: &DirEntry) -> bool {
    let extension = entry.path().extension().and_then(|extension| extension.to_str());
    let is_image = extension.is_some_and(|extension| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()));
    is_image && entry.file_type().is_file()
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
    // The decoders of some formats end their messages with a line break.
    let bytes = read().map_err(|error| error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))?;
    input_of_bytes(spec, bytes)
}
