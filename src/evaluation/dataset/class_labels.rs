//! The classes of a data set: names or numbers of the model's classes.

use std::fs;
use std::path::Path;

use super::npy_header::{is_npy, read_integers};
use crate::evaluation::error::EvaluationError;

/// The most bytes of a file of labels.
const MAX_LABEL_BYTES: u64 = 1 << 30;
/// The number of names that an error lists.
const LISTED: usize = 10;

/// The class of each row, or the reason why a row has none.
pub(super) type RowLabels = Vec<Result<u32, String>>;

/// Returns the class with this number.
///
/// # Errors
/// A message if there is no such class.
pub(super) fn class_of_number(labels: &[String], number: i64) -> Result<u32, String> {
    let class = u32::try_from(number).ok();
    let class = class.filter(|&class| usize::try_from(class).is_ok_and(|class| class < labels.len()));
    class.ok_or_else(|| format!("label is {number}, expected 0 to {}", labels.len().saturating_sub(1)))
}

/// Returns the class with this name, or with this number if no class has the name.
///
/// # Errors
/// A message if there is no such class, or several have the name.
pub(super) fn class_of_text(labels: &[String], text: &str) -> Result<u32, String> {
    let text = text.trim();
    let mut named = labels.iter().enumerate().filter(|(_, name)| *name == text);
    match (named.next(), named.next()) {
        (Some((class, _)), None) => class_of_number(labels, i64::try_from(class).unwrap_or(-1)),
        (Some(_), Some(_)) => Err(format!("label is {text:?}, the name of several classes: use a number")),
        (None, _) => match text.parse() {
            Ok(number) => class_of_number(labels, number),
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
    let size = fs::metadata(path).map_err(|reason| error(reason.to_string()))?.len();
    if size > MAX_LABEL_BYTES {
        return Err(error(format!("has {size} bytes, expected at most {MAX_LABEL_BYTES}")));
    }
    let bytes = fs::read(path).map_err(|reason| error(reason.to_string()))?;
    if is_npy(&bytes) {
        let numbers = read_integers(&mut bytes.as_slice()).map_err(error)?;
        return Ok(numbers
            .into_iter()
            .map(|number| class_of_number(labels, number))
            .collect());
    }
    let text = String::from_utf8(bytes).map_err(|_| error("is neither a .npy array nor a text".to_owned()))?;
    Ok(text.lines().map(|line| class_of_text(labels, line)).collect())
}
