//! The true class of an input, where it is known.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, bail};

/// The number of labels that an error lists.
const LISTED_LABELS: usize = 10;

/// The true class of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::client) struct TrueClass {
    /// Its label.
    pub label: String,
    /// Its index; `None` where several classes have this label, and the label alone is known.
    pub index: Option<u32>,
}

/// The true class of each file: from a CSV file if there is one, otherwise from names such as
/// `0007-ship.png`.
#[derive(Debug, Default)]
pub(in crate::cli::client) struct TrueClasses {
    labels: Vec<String>,
    by_file: HashMap<String, TrueClass>,
}

impl TrueClasses {
    /// Stores the model's labels, and reads the CSV file if there is one.
    pub(in crate::cli::client) fn new(labels: &[String], csv: Option<&Path>) -> anyhow::Result<Self> {
        let mut classes = Self {
            labels: labels.to_vec(),
            by_file: HashMap::new(),
        };
        if let Some(path) = csv {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            classes.by_file = classes
                .parse_csv(&text)
                .with_context(|| format!("--labels {}", path.display()))?;
        }
        Ok(classes)
    }

    fn parse_csv(&self, text: &str) -> anyhow::Result<HashMap<String, TrueClass>> {
        let mut by_file = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let is_header = number == 0 && line == "file,label";
            if line.is_empty() || is_header {
                continue;
            }
            let (file, class) = self.parse_line(line).with_context(|| format!("line {}", number + 1))?;
            by_file.insert(file.to_owned(), class);
        }
        Ok(by_file)
    }

    /// A file and its class. Files and labels may hold commas, so the split is at the first comma
    /// behind which a class stands.
    fn parse_line<'a>(&self, line: &'a str) -> anyhow::Result<(&'a str, TrueClass)> {
        let splits = line.match_indices(',').map(|(comma, _)| line.split_at(comma));
        let mut splits = splits.map(|(file, label)| (file.trim(), label.trim_start_matches(',').trim()));
        if let Some((file, class)) = splits.find_map(|(file, label)| Some((file, self.find_class(label)?))) {
            return Ok((file, class));
        }
        let Some((_, label)) = line.rsplit_once(',') else {
            bail!("expected \"file,label\"");
        };
        let listed = self.labels.iter().take(LISTED_LABELS).map(String::as_str);
        let listed: Vec<&str> = listed.collect();
        let rest = if self.labels.len() > LISTED_LABELS { ", …" } else { "" };
        bail!(
            "label is {:?}, expected a class of the model ({}{rest}) or its index, 0 to {}",
            label.trim(),
            listed.join(", "),
            self.labels.len().saturating_sub(1)
        );
    }

    /// Finds a class by its label or its index.
    fn find_class(&self, label: &str) -> Option<TrueClass> {
        if let Some(class) = self.class_of_label(label) {
            return Some(class);
        }
        let index: u32 = label.parse().ok()?;
        Some(TrueClass {
            label: self.labels.get(usize::try_from(index).ok()?)?.clone(),
            index: Some(index),
        })
    }

    fn class_of_label(&self, label: &str) -> Option<TrueClass> {
        let mut found = self.labels.iter().enumerate().filter(|(_, known)| *known == label);
        let (index, _) = found.next()?;
        let is_unique = found.next().is_none();
        Some(TrueClass {
            label: label.to_owned(),
            index: u32::try_from(index).ok().filter(|_| is_unique),
        })
    }

    /// The true class of an input, if it is known. The CSV file may give the whole path or only the
    /// file name.
    pub(in crate::cli::client) fn class_of(&self, input: &str) -> Option<TrueClass> {
        let path = Path::new(input);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(input);
        let listed = self.by_file.get(input).or_else(|| self.by_file.get(name));
        listed.cloned().or_else(|| self.in_file_name(path))
    }

    /// The class in `<digits>-<label>.<extension>`, if it is a class of the model.
    fn in_file_name(&self, path: &Path) -> Option<TrueClass> {
        let (digits, label) = path.file_stem()?.to_str()?.split_once('-')?;
        let is_numbered = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_numbered { self.class_of_label(label) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> TrueClasses {
        TrueClasses {
            labels: ["cat", "ship", "crane", "crane", "great white shark, big"]
                .map(str::to_owned)
                .to_vec(),
            by_file: HashMap::new(),
        }
    }

    fn class(label: &str, index: Option<u32>) -> Option<TrueClass> {
        Some(TrueClass {
            label: label.to_owned(),
            index,
        })
    }

    #[test]
    fn a_file_name_contains_the_class() {
        let classes = classes();
        assert_eq!(classes.class_of("samples/0007-ship.png"), class("ship", Some(1)));
        for unknown in [
            "samples/ship.png",
            "0007-zebra.png",
            "-ship.png",
            "a7-ship.png",
            "0007-ship-2.png",
            "",
        ] {
            assert_eq!(classes.class_of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_csv_file_has_precedence_and_accepts_labels_or_indices() -> anyhow::Result<()> {
        let mut classes = classes();
        classes.by_file = classes.parse_csv("file,label\na,b.png,cat\nx.npy[1],1\n\nc.png,great white shark, big\n")?;
        assert_eq!(classes.class_of("dir/a,b.png"), class("cat", Some(0)));
        assert_eq!(classes.class_of("dir/x.npy[1]"), class("ship", Some(1)));
        assert_eq!(classes.class_of("c.png"), class("great white shark, big", Some(4)));
        classes.by_file = classes.parse_csv("dir/0007-ship.png,cat")?;
        assert_eq!(classes.class_of("dir/0007-ship.png"), class("cat", Some(0)));
        Ok(())
    }

    #[test]
    fn a_label_of_two_classes_has_no_index_but_an_index_has() -> anyhow::Result<()> {
        let mut classes = classes();
        classes.by_file = classes.parse_csv("a.png,crane\nb.png,3")?;
        assert_eq!(classes.class_of("a.png"), class("crane", None));
        assert_eq!(classes.class_of("b.png"), class("crane", Some(3)));
        assert_eq!(classes.class_of("1-crane.png"), class("crane", None));
        Ok(())
    }

    #[test]
    fn a_wrong_line_is_reported_with_its_number() {
        let classes = classes();
        for wrong in ["file,label\nx.png", "file,label\nx.png,zebra", "file,label\nx.png,5"] {
            assert!(
                classes
                    .parse_csv(wrong)
                    .is_err_and(|error| error.to_string().starts_with("line 2")),
                "{wrong}"
            );
        }
    }
}
