//! The labels of the classes.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::settings::{ConfigFileKind, read_config_text};

/// Returns the labels in `file`, one a line; without a file the numbers from 0.
///
/// # Errors
/// If the file cannot be read, or does not have one label for each of the `classes`.
pub(super) fn labels(file: Option<&Path>, classes: usize) -> anyhow::Result<Vec<String>> {
    let Some(file) = file else {
        return Ok((0..classes).map(|class| class.to_string()).collect());
    };
    let text = read_config_text(ConfigFileKind::Manifest, file)
        .with_context(|| format!("cannot read the labels {}", file.display()))?;
    parse(&text, classes).with_context(|| format!("the labels {}", file.display()))
}

fn parse(text: &str, classes: usize) -> anyhow::Result<Vec<String>> {
    let labels: Vec<String> = text.trim_end().lines().map(|line| line.trim().to_owned()).collect();
    if let Some(empty) = labels.iter().position(String::is_empty) {
        bail!("line {} is empty; expected one label a line", empty + 1);
    }
    if labels.len() != classes {
        bail!(
            "expected {classes} labels, one a line, because the models have {classes} classes; found {}",
            labels.len()
        );
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_label_for_each_class() {
        assert_eq!(parse("cat\r\n dog \n\n", 2).unwrap(), ["cat", "dog"]);
        assert_eq!(labels(None, 3).unwrap(), ["0", "1", "2"]);
        let error = |text| parse(text, 2).unwrap_err().to_string();
        assert!(error("cat").contains("expected 2 labels"));
        assert!(error("cat\n\ndog").contains("line 2 is empty"));
    }
}
