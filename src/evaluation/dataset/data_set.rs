//! A data set of any format.

use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::arrays::InputArray;
use super::cifar::CifarFiles;
use super::class_labels::{RowLabels, read_label_file};
use super::csv_table::{check_csv, read_csv};
use super::digest::{digest_of_file, digest_of_files};
use super::entry::{DataSetEntry, Sink};
use super::image_folder::ImageFolder;
use super::npy_header::{ArrayHeader, is_npy};
use super::npz::Archive;
use super::parquet_table::{check_parquet, read_parquet};
use super::table_rows::TableRequest;
use crate::domain::InputSpec;
use crate::evaluation::error::EvaluationError;

/// How to read a data set.
#[derive(Debug, Clone, Default)]
pub struct DataSetOptions {
    /// A file with the label of each row: a `.npy` array, or one name or number a line.
    pub labels: Option<PathBuf>,
    /// The array of an `.npz` archive that holds the inputs.
    pub array: Option<String>,
    /// The array of an `.npz` archive that holds the labels.
    pub label_array: Option<String>,
    /// The subfolders of an image folder are the classes in their order.
    pub sorted_classes: bool,
    /// Resizes images to the size of the model.
    pub resize: bool,
}

/// An open data set.
pub struct DataSet {
    path: PathBuf,
    options: DataSetOptions,
    spec: InputSpec,
    class_names: Vec<String>,
    format: Format,
    labels: Option<RowLabels>,
}

enum Format {
    Npy(InputArray),
    Npz { name: String, array: InputArray },
    Cifar { files: Vec<PathBuf>, rows: CifarFiles },
    Images(ImageFolder),
    Csv,
    Parquet { rows: u64 },
}

impl DataSet {
    /// Opens the data set at `path` for models with the input `spec` and these classes.
    ///
    /// # Errors
    /// If it cannot be read, has an unknown format, or its rows have another shape.
    pub fn open(
        path: &Path,
        options: DataSetOptions,
        spec: &InputSpec,
        class_names: &[String],
    ) -> Result<Self, EvaluationError> {
        let error = |reason: String| EvaluationError::file(path, reason);
        let (format, own_labels) = if path.is_dir() {
            (open_folder(path, &options, spec, class_names)?, None)
        } else {
            open_file(path, &options, spec, class_names).map_err(error)?
        };
        let labels = match &options.labels {
            Some(file) => Some(read_label_file(file, class_names)?),
            None => own_labels,
        };
        let set = Self {
            path: path.to_path_buf(),
            spec: spec.clone(),
            class_names: class_names.to_vec(),
            format,
            labels,
            options,
        };
        match (set.rows(), &set.labels) {
            (Some(0), _) => Err(error("has no rows".to_owned())),
            (Some(rows), Some(labels)) if labels.len() as u64 != rows => {
                Err(error(format!("has {rows} rows, but {} labels", labels.len())))
            }
            _ => Ok(set),
        }
    }

    /// The path of the data set.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of rows; `None` if only a reading to the end tells.
    #[must_use]
    pub fn rows(&self) -> Option<u64> {
        match &self.format {
            Format::Npy(array) | Format::Npz { array, .. } => Some(array.header.rows()),
            Format::Cifar { rows, .. } => Some(rows.rows()),
            Format::Images(folder) => Some(folder.rows()),
            Format::Parquet { rows } => Some(*rows),
            Format::Csv => None,
        }
    }

    /// The SHA-256 of the contents, hexadecimal; of a folder, that of the names and contents of the
    /// files that are read. A file of labels counts too. Calls `progress` with the bytes of each part.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn digest(&self, mut progress: impl FnMut(u64)) -> Result<String, EvaluationError> {
        let progress: &mut dyn FnMut(u64) = &mut progress;
        let digest = match &self.format {
            Format::Images(folder) => digest_of_files(&self.path, folder.paths(), progress),
            Format::Cifar { files, .. } => digest_of_files(Path::new(""), files.iter().map(PathBuf::as_path), progress),
            _ => digest_of_file(&self.path, progress).map_err(|error| EvaluationError::file(&self.path, error))?,
        };
        match &self.options.labels {
            None => Ok(digest),
            Some(labels) => {
                let of_labels = digest_of_file(labels, progress);
                let of_labels = of_labels.map_err(|error| EvaluationError::file(labels, error))?;
                Ok(format!("{digest}+{of_labels}"))
            }
        }
    }

    /// Passes the rows from the position `first` on to `sink`, in their order, until it breaks.
    ///
    /// # Errors
    /// If the data set cannot be read any further. A row that is no input is an entry for `sink`.
    pub fn read(
        &self,
        first: u64,
        mut sink: impl FnMut(DataSetEntry) -> ControlFlow<()>,
    ) -> Result<(), EvaluationError> {
        let sink: &mut Sink<'_> = &mut sink;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (spec, labels) = (&self.spec, self.labels.as_ref());
        let error = |reason: String| EvaluationError::file(&self.path, reason);
        let table = |sink| TableRequest {
            path: &self.path,
            spec,
            class_names: &self.class_names,
            labels,
            first,
            sink,
        };
        match &self.format {
            Format::Npy(array) => {
                let file = File::open(&self.path).map_err(|reason| error(reason.to_string()))?;
                let mut reader = BufReader::new(file);
                ArrayHeader::read(&mut reader)
                    .and_then(|_| array.read(&mut reader, &name, spec, labels, first, sink))
                    .map_err(error)
            }
            Format::Npz { name: inputs, array } => {
                let mut archive = Archive::open(&self.path).map_err(error)?;
                let (_, mut reader) = archive.array(inputs).map_err(error)?;
                let name = format!("{name}/{inputs}");
                array.read(&mut reader, &name, spec, labels, first, sink).map_err(error)
            }
            Format::Cifar { rows, .. } => rows.read(spec, &self.class_names, first, sink),
            Format::Images(folder) => {
                folder.read(spec, self.options.resize, first, sink);
                Ok(())
            }
            Format::Csv => read_csv(table(sink)).map_err(error),
            Format::Parquet { .. } => read_parquet(table(sink)).map_err(error),
        }
    }
}

/// Opens a folder: the binary files of CIFAR, or images in the subfolders of their classes.
fn open_folder(
    path: &Path,
    options: &DataSetOptions,
    spec: &InputSpec,
    class_names: &[String],
) -> Result<Format, EvaluationError> {
    let error = |reason: std::io::Error| EvaluationError::file(path, reason);
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(error)? {
        let file = entry.map_err(error)?.path();
        if file.extension().is_some_and(|extension| extension == "bin") && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return ImageFolder::list(path, class_names, options.sorted_classes).map(Format::Images);
    }
    files.sort();
    let rows = CifarFiles::new(files.clone(), spec, class_names.len())?;
    Ok(Format::Cifar { files, rows })
}

/// Opens a file by its content, and by its extension where the content has no mark.
fn open_file(
    path: &Path,
    options: &DataSetOptions,
    spec: &InputSpec,
    class_names: &[String],
) -> Result<(Format, Option<RowLabels>), String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let mut magic = Vec::new();
    file.by_ref()
        .take(8)
        .read_to_end(&mut magic)
        .map_err(|error| error.to_string())?;
    if is_npy(&magic) {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let header = ArrayHeader::read(&mut BufReader::new(file))?;
        return Ok((Format::Npy(InputArray::new(header, spec)?), None));
    }
    if magic.starts_with(b"PK\x03\x04") {
        return open_archive(path, options, spec, class_names);
    }
    if magic.starts_with(b"PAR1") {
        let rows = check_parquet(path, spec)?;
        return Ok((Format::Parquet { rows }, None));
    }
    if magic.is_empty() {
        return Err("is empty".to_owned());
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => check_csv(path, spec).map(|()| (Format::Csv, None)),
        Some("bin") => {
            let files = vec![path.to_path_buf()];
            let rows = CifarFiles::new(files.clone(), spec, class_names.len());
            let rows = rows.map_err(|error| match error {
                EvaluationError::File { reason, .. } | EvaluationError::Row { reason, .. } => reason,
            })?;
            Ok((Format::Cifar { files, rows }, None))
        }
        _ => Err("is no data set: expected .npy, .npz, .parquet, .csv, CIFAR .bin, or a folder of images".to_owned()),
    }
}

fn open_archive(
    path: &Path,
    options: &DataSetOptions,
    spec: &InputSpec,
    class_names: &[String],
) -> Result<(Format, Option<RowLabels>), String> {
    let mut archive = Archive::open(path)?;
    let (name, labels) = archive.choose((options.array.as_deref(), options.label_array.as_deref()))?;
    let (header, _) = archive.array(&name)?;
    let array = InputArray::new(header, spec).map_err(|reason| format!("array {name:?} {reason}"))?;
    let labels = match labels {
        None => None,
        Some(labels) => {
            let numbers = archive.integers(&labels, array.header.rows())?;
            let classes = class_names.len();
            Some(RowLabels::Numbers { numbers, classes })
        }
    };
    Ok((Format::Npz { name, array }, labels))
}
