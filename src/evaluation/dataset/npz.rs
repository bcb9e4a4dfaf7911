//! The arrays of an `.npz` archive.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use npyz::npz::{array_name_from_file_name, file_name_from_array_name};
use zip::{CompressionMethod, ZipArchive};

use super::npy_header::{ArrayHeader, read_integers};

/// The names of an array of labels.
const LABEL_NAMES: [&str; 5] = ["labels", "y", "label", "targets", "classes"];
/// The parts of the name of an array of inputs, and of that of its labels.
const NAME_PARTS: [(&str, &str); 6] = [
    ("images", "labels"),
    ("inputs", "labels"),
    ("data", "labels"),
    ("features", "labels"),
    ("x", "y"),
    ("X", "y"),
];

/// The archive at a path.
pub(super) struct Archive(ZipArchive<BufReader<File>>);

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let archive = ZipArchive::new(BufReader::new(file));
        archive
            .map(Self)
            .map_err(|error| format!("is not a complete .npz archive: {error}"))
    }

    /// The names of the arrays, sorted.
    fn names(&self) -> Vec<String> {
        let files = self.0.file_names().filter_map(Result::ok);
        let mut names: Vec<String> = files
            .filter_map(|file| array_name_from_file_name(&file).map(str::to_owned))
            .collect();
        names.sort();
        names
    }

    /// The name of the inputs, and that of their labels if there are some. `chosen` are the names that
    /// the user gave.
    pub(super) fn choose(&self, chosen: (Option<&str>, Option<&str>)) -> Result<(String, Option<String>), String> {
        let names = self.names();
        let check = |name: &str| match names.iter().any(|known| known == name) {
            true => Ok(name.to_owned()),
            false => Err(format!("has no array {name:?}, only {}", names.join(", "))),
        };
        let inputs = match chosen.0 {
            Some(name) => check(name)?,
            None => {
                if names.is_empty() {
                    return Err("has no .npy arrays".to_owned());
                }
                let mut inputs = names.iter().filter(|name| !is_label_name(name));
                match (inputs.next(), inputs.next()) {
                    (Some(name), None) => name.clone(),
                    _ => {
                        return Err(format!(
                            "has the arrays {}: choose the inputs with --array",
                            names.join(", ")
                        ));
                    }
                }
            }
        };
        let labels = match chosen.1 {
            Some(name) => Some(check(name)?),
            None => label_names(&inputs).into_iter().find(|name| names.contains(name)),
        };
        Ok((inputs, labels))
    }

    /// Opens the array `name`, and reads its header.
    pub(super) fn array(&mut self, name: &str) -> Result<(ArrayHeader, impl Read + '_), String> {
        let mut file = self.file(name)?;
        let header = ArrayHeader::read(&mut file).map_err(|reason| format!("array {name:?} {reason}"))?;
        Ok((header, file))
    }

    /// Reads the integers of the array `name`, one for each of `rows` rows.
    pub(super) fn integers(&mut self, name: &str, rows: u64) -> Result<Vec<i64>, String> {
        let mut file = self.file(name)?;
        read_integers(&mut file, Some(rows)).map_err(|reason| format!("array {name:?} {reason}"))
    }

    fn file(&mut self, name: &str) -> Result<impl Read + '_, String> {
        let file = self.0.by_name(&file_name_from_array_name(name));
        let file = file.map_err(|error| format!("array {name:?}: {error}"))?;
        match file.compression() {
            CompressionMethod::Stored | CompressionMethod::Deflated => Ok(file),
            other => Err(format!(
                "array {name:?} is compressed with {other}, expected deflate or no compression: write it with \
                 numpy.savez_compressed"
            )),
        }
    }
}

fn is_label_name(name: &str) -> bool {
    LABEL_NAMES.contains(&name) || name.ends_with("_labels") || name.starts_with("y_") || name.ends_with("_y")
}

/// The names that the labels of the array `inputs` may have, the most specific first.
fn label_names(inputs: &str) -> Vec<String> {
    let replaced = NAME_PARTS.iter().map(|(part, label)| inputs.replacen(part, label, 1));
    let replaced = replaced.filter(|name| name != inputs);
    replaced.chain(LABEL_NAMES.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_by_the_name_of_their_inputs() {
        for (inputs, labels) in [
            ("test_images", "test_labels"),
            ("x_test", "y_test"),
            ("X", "y"),
            ("images", "labels"),
        ] {
            assert_eq!(
                label_names(inputs).first().map(String::as_str),
                Some(labels),
                "{inputs}"
            );
            assert!(is_label_name(labels) && !is_label_name(inputs));
        }
    }
}
