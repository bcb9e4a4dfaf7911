//! The true class of an input, where somebody knows it.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, bail};

/// True classes by file: from a CSV file where there is one, otherwise from names such as `0007-ship.png`.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    classes: Vec<String>,
    by_file: HashMap<String, String>,
}

impl Labels {
    /// Takes the model's classes, and reads the CSV file if one was given.
    pub(crate) fn new(classes: &[String], csv: Option<&Path>) -> anyhow::Result<Self> {
        let mut labels = Self {
            classes: classes.to_vec(),
            by_file: HashMap::new(),
        };
        if let Some(path) = csv {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            labels.by_file = labels.parse(&text).with_context(|| path.display().to_string())?;
        }
        Ok(labels)
    }

    fn parse(&self, text: &str) -> anyhow::Result<HashMap<String, String>> {
        let mut by_file = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let is_header = number == 0 && line == "file,label";
            if line.is_empty() || is_header {
                continue;
            }
            // The last comma: a file's name may hold one, a label does not.
            let Some((file, label)) = line.rsplit_once(',') else {
                bail!("line {}: expected \"file,label\"", number + 1);
            };
            let Some(class) = self.class(label.trim()) else {
                bail!(
                    "line {}: {label:?} is none of the model's classes: {}",
                    number + 1,
                    self.classes.join(", ")
                );
            };
            by_file.insert(file.trim().to_owned(), class);
        }
        Ok(by_file)
    }

    /// A class by its name or its number.
    fn class(&self, label: &str) -> Option<String> {
        let by_name = self.classes.iter().find(|class| *class == label);
        by_name
            .or_else(|| self.classes.get(label.parse::<usize>().ok()?))
            .cloned()
    }

    /// The true class of an input, if it is known. In the CSV file it may stand under the whole path or the file's name.
    pub(crate) fn of(&self, input: &str) -> Option<String> {
        let path = Path::new(input);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(input);
        let listed = self.by_file.get(input).or_else(|| self.by_file.get(name));
        listed.cloned().or_else(|| self.in_name(path))
    }

    /// `<digits>-<label>.<extension>`, if the model has such a class.
    fn in_name(&self, path: &Path) -> Option<String> {
        let (digits, label) = path.file_stem()?.to_str()?.split_once('-')?;
        let numbered = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        self.classes.iter().find(|class| numbered && *class == label).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        Labels {
            classes: vec!["cat".into(), "ship".into()],
            by_file: HashMap::new(),
        }
    }

    #[test]
    fn a_file_name_tells_the_class() {
        let labels = labels();
        assert_eq!(labels.of("samples/0007-ship.png").as_deref(), Some("ship"));
        for unknown in [
            "samples/ship.png",
            "0007-zebra.png",
            "-ship.png",
            "a7-ship.png",
            "0007-ship-2.png",
            "",
        ] {
            assert_eq!(labels.of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_csv_file_wins_and_takes_names_or_numbers() -> anyhow::Result<()> {
        let mut labels = labels();
        labels.by_file = labels.parse("file,label\na,b.png,cat\nx.npy[1],1\n\n")?;
        assert_eq!(labels.of("dir/a,b.png").as_deref(), Some("cat"));
        assert_eq!(labels.of("dir/x.npy[1]").as_deref(), Some("ship"));
        labels.by_file = labels.parse("dir/0007-ship.png,cat")?;
        assert_eq!(labels.of("dir/0007-ship.png").as_deref(), Some("cat"));
        Ok(())
    }

    #[test]
    fn a_wrong_line_is_named() {
        let labels = labels();
        for wrong in ["file,label\nx.png", "file,label\nx.png,zebra", "file,label\nx.png,2"] {
            assert!(
                labels
                    .parse(wrong)
                    .is_err_and(|error| error.to_string().starts_with("line 2")),
                "{wrong}"
            );
        }
    }
}
