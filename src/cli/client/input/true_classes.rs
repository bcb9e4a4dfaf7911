//! The true class of an input, where it is known.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, bail};

/// The true class of each file: from a CSV file if there is one, otherwise from names such as
/// `0007-ship.png`.
#[derive(Debug, Default)]
pub(in crate::cli::client) struct TrueLabels {
    classes: Vec<String>,
    by_file: HashMap<String, String>,
}

impl TrueLabels {
    /// Stores the model's classes, and reads the CSV file if there is one.
    pub(in crate::cli::client) fn new(classes: &[String], csv: Option<&Path>) -> anyhow::Result<Self> {
        let mut labels = Self {
            classes: classes.to_vec(),
            by_file: HashMap::new(),
        };
        if let Some(path) = csv {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            labels.by_file = labels
                .parse_csv(&text)
                .with_context(|| format!("--labels {}", path.display()))?;
        }
        Ok(labels)
    }

    fn parse_csv(&self, text: &str) -> anyhow::Result<HashMap<String, String>> {
        let mut by_file = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let is_header = number == 0 && line == "file,label";
            if line.is_empty() || is_header {
                continue;
            }
            // Splits at the last comma: a file name may contain a comma, a label does not.
            let Some((file, label)) = line.rsplit_once(',') else {
                bail!("line {}: expected \"file,label\"", number + 1);
            };
            let Some(class) = self.find_class(label.trim()) else {
                bail!(
                    "line {}: label is {label:?}, expected a class of the model or its index: {}",
                    number + 1,
                    self.classes.join(", ")
                );
            };
            by_file.insert(file.trim().to_owned(), class);
        }
        Ok(by_file)
    }

    /// Finds a class by its name or its index.
    fn find_class(&self, label: &str) -> Option<String> {
        let by_name = self.classes.iter().find(|class| *class == label);
        by_name
            .or_else(|| self.classes.get(label.parse::<usize>().ok()?))
            .cloned()
    }

    /// The true class of an input, if it is known. The CSV file may give the whole path or only the
    /// file name.
    pub(in crate::cli::client) fn label_of(&self, input: &str) -> Option<String> {
        let path = Path::new(input);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(input);
        let listed = self.by_file.get(input).or_else(|| self.by_file.get(name));
        listed.cloned().or_else(|| self.in_file_name(path))
    }

    /// The label in `<digits>-<label>.<extension>`, if it is a class of the model.
    fn in_file_name(&self, path: &Path) -> Option<String> {
        let (digits, label) = path.file_stem()?.to_str()?.split_once('-')?;
        let numbered = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        self.classes.iter().find(|class| numbered && *class == label).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> TrueLabels {
        TrueLabels {
            classes: vec!["cat".into(), "ship".into()],
            by_file: HashMap::new(),
        }
    }

    #[test]
    fn a_file_name_contains_the_class() {
        let labels = labels();
        assert_eq!(labels.label_of("samples/0007-ship.png").as_deref(), Some("ship"));
        for unknown in [
            "samples/ship.png",
            "0007-zebra.png",
            "-ship.png",
            "a7-ship.png",
            "0007-ship-2.png",
            "",
        ] {
            assert_eq!(labels.label_of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_csv_file_has_precedence_and_accepts_names_or_indices() -> anyhow::Result<()> {
        let mut labels = labels();
        labels.by_file = labels.parse_csv("file,label\na,b.png,cat\nx.npy[1],1\n\n")?;
        assert_eq!(labels.label_of("dir/a,b.png").as_deref(), Some("cat"));
        assert_eq!(labels.label_of("dir/x.npy[1]").as_deref(), Some("ship"));
        labels.by_file = labels.parse_csv("dir/0007-ship.png,cat")?;
        assert_eq!(labels.label_of("dir/0007-ship.png").as_deref(), Some("cat"));
        Ok(())
    }

    #[test]
    fn a_wrong_line_is_reported_with_its_number() {
        let labels = labels();
        for wrong in ["file,label\nx.png", "file,label\nx.png,zebra", "file,label\nx.png,2"] {
            assert!(
                labels
                    .parse_csv(wrong)
                    .is_err_and(|error| error.to_string().starts_with("line 2")),
                "{wrong}"
            );
        }
    }
}
