//! What is reported: one section a case, each with its origin, kept as JSON and shown as Markdown.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::interference::Disturbance;
use crate::provenance::Origin;
use crate::statistics::Spread;

/// Every case's latest section.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub sections: BTreeMap<String, Section>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Section {
    pub origin: Origin,
    /// Filled in when the case is over.
    pub disturbance: Disturbance,
    pub title: String,
    /// What was done, and how to read it.
    pub method: String,
    pub findings: Vec<Finding>,
    pub tables: Vec<Table>,
    pub notes: Vec<String>,
}

/// One figure, and what it should be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finding {
    pub what: String,
    pub unit: Unit,
    pub target: Option<Target>,
    pub value: Spread,
    /// The medians that it comes from, in words.
    pub from: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Ratio,
    Milliseconds,
    Bytes,
    /// Bulk batches of time.
    Batches,
    MibPerHour,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    AtLeast(f64),
    AtMost(f64),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Finding {
    pub fn new(what: impl Into<String>, unit: Unit, values: Vec<f64>) -> Self {
        Self {
            what: what.into(),
            unit,
            target: None,
            value: Spread::of(values),
            from: String::new(),
        }
    }

    pub fn at_least(mut self, least: f64) -> Self {
        self.target = Some(Target::AtLeast(least));
        self
    }

    pub fn at_most(mut self, most: f64) -> Self {
        self.target = Some(Target::AtMost(most));
        self
    }

    /// `value` of all rounds together instead of the median: for quantiles that one round has too few requests for.
    pub fn of_all_rounds(mut self, value: f64) -> Self {
        self.value.median = value;
        self
    }

    pub fn from(mut self, text: impl Into<String>) -> Self {
        self.from = text.into();
        self
    }

    /// Whether the median is within the target.
    pub fn met(&self) -> Option<bool> {
        self.target.map(|target| match target {
            Target::AtLeast(least) => self.value.median >= least,
            Target::AtMost(most) => self.value.median <= most,
        })
    }

    pub fn verdict(&self) -> &'static str {
        match self.met() {
            Some(true) => "met",
            Some(false) => "missed",
            None => "",
        }
    }

    pub fn target_text(&self) -> String {
        match self.target {
            Some(Target::AtLeast(least)) => format!("at least {}", self.unit.show(least)),
            Some(Target::AtMost(most)) => format!("at most {}", self.unit.show(most)),
            None => String::new(),
        }
    }
}

impl Unit {
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Ratio => format!("{value:.3}"),
            Self::Milliseconds => format!("{value:.2} ms"),
            Self::Bytes => format!("{:.1} KiB", value / 1024.0),
            Self::Batches => format!("{value:.2} batches"),
            Self::MibPerHour => format!("{value:.1} MiB/h"),
        }
    }
}

impl Table {
    pub fn new(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(|&cell| cell.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl Report {
    /// What was written before, or nothing if there is no such file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        serde_json::from_str(&std::fs::read_to_string(path)?)
            .with_context(|| format!("{} is not a report of this version: remove it", path.display()))
    }

    pub fn write(&self, folder: &Path, tried: &str) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        let json = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(folder.join("benchmarks.json"), json)?;
        std::fs::write(folder.join("benchmarks.md"), crate::markdown::page(self, tried))?;
        Ok(())
    }
}
