//! The classes of a data set: names or numbers of the model's classes.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::npy_header::{is_npy, read_integers};
use crate::evaluation::error::EvaluationError;

/// The most bytes of a text of labels.
const MAX_TEXT_BYTES: u64 = 64 << 20;
/// The number of names that an error lists.
const LISTED: usize = 10;

/// The class of each row, or the reason why a row has none.
pub(super) enum RowLabels {
    /// Numbers of classes.
    Numbers { numbers: Vec<i64>, classes: usize },
    /// Classes by name or by number.
    Classes(Vec<Result<u32, String>>),
}

impl RowLabels {
    /// The number of labels.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers { numbers, .. } => numbers.len(),
            Self::Classes(classes) => classes.len(),
        }
    }

    /// The label of the row `index`; `None` behind the last label.
    pub(super) fn get(&self, index: u64) -> Option<Result<u32, String>> {
        let row = usize::try_from(index).ok()?;
        match self {
            Self::Numbers { numbers, classes } => Some(class_of_number(*classes, *numbers.get(row)?)),
            Self::Classes(classes) => classes.get(row).cloned(),
        }
    }
}

/// Returns the class with this number.
///
/// # Errors
/// A message if there is no such class among the `classes` ones.
pub(super) fn class_of_number(classes: usize, number: i64) -> Result<u32, String> {
    let class = u32::try_from(number).ok();
    let class = class.filter(|&class| usize::try_from(class).is_ok_and(|class| class < classes));
    class.ok_or_else(|| format!("label is {number}, expected 0 to {}", classes.saturating_sub(1)))
}

/// Returns the class with this name, or with this number if no class has the name.
///
/// # Errors
/// A message if there is no such class, or several have the name.
pub(super) fn class_of_text(labels: &[String], text: &str) -> Result<u32, String> {
    let text = text.trim();
    let mut named = labels.iter().enumerate().filter(|(_, name)| *name == text);
    match (named.next(), named.next()) {
        (Some((class, _)), None) => class_of_number(labels.len(), i64::try_from(class).unwrap_or(-1)),
        (Some(_), Some(_)) => Err(format!("label is {text:?}, the name of several classes: use a number")),
        (None, _) => match text.parse() {
            Ok(number) => class_of_number(labels.len(), number),
            Err(_) => {
                let listed: Vec<&str> = labels.iter().take(LISTED).map(String::as_str).collect();
                let rest = if labels.len() > LISTED { ", …" } else { "" };
                Err(format!(
                    "label is {text:?}, expected a class of the model ({}{rest}) or its number, 0 to {}",
                    listed.join(", "),
                    labels.len().saturating_sub(1)
                ))
            }
        },
    }
}

/// Reads a file of labels: a `.npy` array of integers, or a text with one name or number a line.
///
/// # Errors
/// If it cannot be read. A wrong label is an error of its row alone.
pub(super) fn read_label_file(path: &Path, labels: &[String]) -> Result<RowLabels, EvaluationError> {
    let error = |reason: String| EvaluationError::file(path, reason);
    let file = File::open(path).map_err(|reason| error(reason.to_string()))?;
    let mut reader = BufReader::new(file);
    if is_npy(reader.fill_buf().map_err(|reason| error(reason.to_string()))?) {
        let numbers = read_integers(&mut reader, None).map_err(error)?;
        let classes = labels.len();
        return Ok(RowLabels::Numbers { numbers, classes });
    }
    let mut bytes = Vec::new();
    let read = reader.take(MAX_TEXT_BYTES + 1).read_to_end(&mut bytes);
    let read = read.map_err(|reason| error(reason.to_string()))?;
    if read as u64 > MAX_TEXT_BYTES {
        return Err(error(format!(
            "has more than {MAX_TEXT_BYTES} bytes: use a .npy array of integers"
        )));
    }
    let text = String::from_utf8(bytes).map_err(|_| error("is neither a .npy array nor a UTF-8 text".to_owned()))?;
    // A byte order mark and the empty lines at the end are no labels.
    let lines = text.trim_start_matches('\u{feff}').trim_end().lines();
    Ok(RowLabels::Classes(
        lines.map(|line| class_of_text(labels, line)).collect(),
    ))
}
