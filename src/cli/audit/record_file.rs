//! Reads certificates as `predict --json` and `certify --json` print them.

use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::cli::client::Record;

/// All certificates of a file, or of stdin if it is called `-`.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Record>> {
    let name = path.display();
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin()
            .lock()
            .read_to_string(&mut text)
            .context("cannot read stdin")?;
        text
    } else {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?
    };
    parse(&text).with_context(|| format!("{name} is not what `certimix predict --json` prints"))
}

/// Objects one after the other: one a line, or spread over lines by a formatter.
fn parse(text: &str) -> anyhow::Result<Vec<Record>> {
    let records: Vec<Record> = serde_json::Deserializer::from_str(text)
        .into_iter()
        .collect::<Result<_, _>>()?;
    if records.is_empty() {
        bail!("it is empty");
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::verify::certificate_verifier::tests::example;

    #[test]
    fn lines_and_formatted_objects() -> anyhow::Result<()> {
        let record = example();
        let line = serde_json::to_string(&record)?;
        let pretty = serde_json::to_string_pretty(&record)?;
        assert_eq!(parse(&format!("{line}\n{line}\n"))?.len(), 2);
        assert_eq!(parse(&pretty)?, [record]);
        Ok(())
    }

    #[test]
    fn what_is_no_certificate_is_said_to_be_none() {
        assert!(parse("").is_err());
        let text = parse("{\"file\": \"x\"}").map_or_else(|error| format!("{error:#}"), |_| String::new());
        assert!(text.contains("missing field") && text.contains("line 1"), "{text}");
    }
}
