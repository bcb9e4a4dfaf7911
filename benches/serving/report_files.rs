//! The files of the report: benchmarks.json holds the data, benchmarks.md is rendered from it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::markdown;
use crate::report::BenchReport;

pub struct ReportFiles {
    folder: PathBuf,
    /// The last section of benchmarks.md, which is written by hand.
    experiments: String,
}

impl ReportFiles {
    /// `folder` receives the report; `root` is the root of the repository.
    pub fn new(folder: &Path, root: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            experiments: std::fs::read_to_string(root.join("benches/serving/experiments.md"))?,
        })
    }

    fn json(&self) -> PathBuf {
        self.folder.join("benchmarks.json")
    }

    pub fn markdown(&self) -> PathBuf {
        self.folder.join("benchmarks.md")
    }

    /// The report of an earlier run, or an empty one if there is no file.
    pub fn read(&self) -> anyhow::Result<BenchReport> {
        let path = self.json();
        if !path.exists() {
            return Ok(BenchReport::default());
        }
        serde_json::from_str(&std::fs::read_to_string(&path)?)
            .with_context(|| format!("{} is not a report of this version: remove it", path.display()))
    }

    pub fn write(&self, report: &BenchReport) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        std::fs::write(self.json(), serde_json::to_string_pretty(report)? + "\n")?;
        std::fs::write(self.markdown(), markdown::render(report, &self.experiments))?;
        Ok(())
    }
}
