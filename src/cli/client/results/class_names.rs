//! The names of classes in tables. Labels need not be unique, so a label that several classes have
//! is shown with the index of the class.

use std::collections::{BTreeMap, HashSet};

use crate::cli::text_layout::{Keep, display_width, printable, shorten};

/// The labels of the model, and those that do not tell which class is meant.
#[derive(Debug, Default)]
pub(super) struct ClassNames {
    labels: Vec<String>,
    repeated: HashSet<String>,
}

impl ClassNames {
    /// Finds the repeated labels among those of the model.
    pub(super) fn new(labels: &[String]) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for label in labels {
            *counts.entry(label).or_default() += 1;
        }
        let repeated = counts.into_iter().filter(|(_, count)| *count > 1);
        Self {
            labels: labels.to_vec(),
            repeated: repeated.map(|(label, _)| label.to_owned()).collect(),
        }
    }

    /// "cat"; with the index where the label is repeated or empty: "crane (517)". The index of a
    /// true class may be unknown.
    pub(super) fn full(&self, label: &str, index: Option<u32>) -> String {
        match index {
            Some(index) if label.trim().is_empty() => bare(index),
            Some(index) if self.repeated.contains(label) => format!("{} ({index})", printable(label)),
            _ => printable(label),
        }
    }

    /// The name of the class with this index.
    pub(super) fn of_index(&self, index: u32) -> String {
        let label = usize::try_from(index).ok().and_then(|index| self.labels.get(index));
        self.full(label.map_or("", String::as_str), Some(index))
    }

    /// The name in at most `width` columns: the whole name, or its first words and the index, or the
    /// index alone: "great white … (2)", "class 2". A name without an index may become "…".
    pub(super) fn fitting(&self, label: &str, index: Option<u32>, width: usize) -> String {
        let full = self.full(label, index);
        if display_width(&full) <= width {
            return full;
        }
        let Some(index) = index else {
            return shorten(&full, width, Keep::Start).unwrap_or_else(|| "…".to_owned());
        };
        let suffix = format!(" ({index})");
        let words = shorten(&printable(label), width.saturating_sub(suffix.len()), Keep::Start);
        words.map_or_else(|| bare(index), |words| words + &suffix)
    }
}

fn bare(index: u32) -> String {
    format!("class {index}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> ClassNames {
        ClassNames::new(&["crane", "cat", "crane", "great white shark"].map(str::to_owned))
    }

    #[test]
    fn a_repeated_label_has_its_index() {
        assert_eq!(names().full("cat", Some(1)), "cat");
        assert_eq!(names().full("crane", Some(2)), "crane (2)");
        assert_eq!(names().full("crane", None), "crane");
        assert_eq!(names().full("", Some(4)), "class 4");
    }

    #[test]
    fn a_shortened_name_tells_its_class() {
        let fitting = |width| names().fitting("great white shark", Some(3), width);
        assert_eq!(fitting(17), "great white shark");
        assert_eq!(fitting(16), "great … (3)");
        assert_eq!(fitting(10), "class 3");
        assert_eq!(
            names().fitting("great white shark, big", Some(3), 21),
            "great white … (3)"
        );
        assert_eq!(names().fitting("great white shark, big", None, 15), "great white …");
        assert_eq!(names().fitting("supercalifragilistic", None, 15), "…");
    }
}
