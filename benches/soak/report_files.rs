//! The files of a report: soak.json holds the data, soak.md and soak.svg are rendered from it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::report::SoakData;
use crate::{chart, markdown};

pub struct ReportFiles(PathBuf);

impl ReportFiles {
    /// The files in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    pub fn markdown(&self) -> PathBuf {
        self.0.join("soak.md")
    }

    fn json(&self) -> PathBuf {
        self.0.join("soak.json")
    }

    pub fn read(&self) -> anyhow::Result<SoakData> {
        let path = self.json();
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not a report of this version", path.display()))
    }

    pub fn write(&self, data: &SoakData) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.0)?;
        std::fs::write(self.json(), json(data)?)?;
        std::fs::write(self.markdown(), markdown::render(data))?;
        std::fs::write(self.0.join("soak.svg"), chart::render(&data.samples)?)?;
        Ok(())
    }
}

/// JSON with one line for each sample: thousands of them stay readable.
fn json(data: &SoakData) -> anyhow::Result<String> {
    let report = serde_json::to_string_pretty(&data.report)?;
    let samples: Result<Vec<String>, _> = data.samples.iter().map(serde_json::to_string).collect();
    Ok(format!(
        "{{\n\"report\": {report},\n\"samples\": [\n{}\n]\n}}\n",
        samples?.join(",\n")
    ))
}
