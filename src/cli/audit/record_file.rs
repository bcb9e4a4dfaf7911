//! Reads files of records as `certimix predict --json` and `certimix certify --json` print them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::cli::client::PredictionRecord;

/// The most bytes that are read: a million records of a thousand bytes.
const MAX_BYTES: u64 = 1 << 30;

/// Reads all records of a file, or of stdin if `path` is `-`.
pub(super) fn read_records(path: &Path) -> anyhow::Result<Vec<PredictionRecord>> {
    let name = path.display();
    let text = if path == Path::new("-") {
        read_text(io::stdin().lock()).context("cannot read stdin")?
    } else {
        let read = File::open(path).map_err(anyhow::Error::from).and_then(read_text);
        read.with_context(|| format!("cannot read {name}"))?
    };
    parse_records(&text).with_context(|| format!("{name}: expected the output of `certimix predict --json`"))
}

/// Reads a text of bounded length: a pipe may never end.
fn read_text(content: impl Read) -> anyhow::Result<String> {
    let mut text = String::new();
    content.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        bail!("it has more than {MAX_BYTES} bytes");
    }
    Ok(text)
}

/// Parses JSON objects, one after the other. A formatter may have spread an object over several
/// lines.
pub(super) fn parse_records(text: &str) -> anyhow::Result<Vec<PredictionRecord>> {
    let records: Vec<PredictionRecord> = serde_json::Deserializer::from_str(text)
        .into_iter()
        .collect::<Result<_, _>>()?;
    if records.is_empty() {
        bail!("the file is empty");
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::test_records::certified_record;
    use crate::cli::output::error_text;

    #[test]
    fn single_line_and_formatted_objects_are_read() -> anyhow::Result<()> {
        let record = certified_record();
        let line = serde_json::to_string(&record)?;
        let pretty = serde_json::to_string_pretty(&record)?;
        assert_eq!(parse_records(&format!("{line}\n{line}\n"))?.len(), 2);
        assert_eq!(parse_records(&pretty)?, [record]);
        Ok(())
    }

    #[test]
    fn other_files_are_rejected() {
        assert!(parse_records("").is_err());
        let text = parse_records("{\"file\": \"x\"}").map_or_else(|error| error_text(&error), |_| String::new());
        assert!(text.contains("missing field") && text.contains("line 1"), "{text}");
    }
}
