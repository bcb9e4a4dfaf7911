//! The data of the report: one `CaseReport` for each case, kept as JSON.
//!
//! The names of JSON keys are older than the names of the fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::interference::Interference;
use crate::provenance::Provenance;
use crate::statistics::RoundSummary;

/// The latest report of every case, by its letter.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct BenchReport {
    #[serde(rename = "sections")]
    pub cases: BTreeMap<String, CaseReport>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseReport {
    #[serde(rename = "origin")]
    pub provenance: Provenance,
    /// Set after the case has ended.
    #[serde(rename = "disturbance")]
    pub interference: Interference,
    pub title: String,
    /// How the case was measured, and how to read its figures.
    pub method: String,
    #[serde(rename = "findings")]
    pub measurements: Vec<Measurement>,
    pub tables: Vec<ReportTable>,
    pub notes: Vec<String>,
}

/// One figure, and its target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measurement {
    #[serde(rename = "what")]
    pub name: String,
    pub unit: Unit,
    pub target: Option<Target>,
    pub value: RoundSummary,
    /// The medians that the figure is computed from, as text.
    #[serde(rename = "from")]
    pub computed_from: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Ratio,
    Milliseconds,
    Bytes,
    /// The duration of one batch of Certify.
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
pub struct ReportTable {
    #[serde(rename = "head")]
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl CaseReport {
    /// A report without figures.
    pub fn new(provenance: &Provenance, title: &str, method: String) -> Self {
        Self {
            provenance: provenance.clone(),
            interference: Interference::default(),
            title: title.to_owned(),
            method,
            measurements: Vec::new(),
            tables: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl Measurement {
    pub fn new(name: impl Into<String>, unit: Unit, values: Vec<f64>) -> Self {
        Self {
            name: name.into(),
            unit,
            target: None,
            value: RoundSummary::of(values),
            computed_from: String::new(),
        }
    }

    pub fn at_least(mut self, minimum: f64) -> Self {
        self.target = Some(Target::AtLeast(minimum));
        self
    }

    pub fn at_most(mut self, maximum: f64) -> Self {
        self.target = Some(Target::AtMost(maximum));
        self
    }

    /// Replaces the median of the rounds by `value`, which is computed from all rounds together.
    /// It is for quantiles that need more requests than one round has.
    pub fn with_pooled_value(mut self, value: f64) -> Self {
        self.value.median = value;
        self
    }

    pub fn computed_from(mut self, text: impl Into<String>) -> Self {
        self.computed_from = text.into();
        self
    }

    /// Whether the median is within the target. `None` without a target.
    pub fn meets_target(&self) -> Option<bool> {
        self.target.map(|target| match target {
            Target::AtLeast(minimum) => self.value.median >= minimum,
            Target::AtMost(maximum) => self.value.median <= maximum,
        })
    }

    pub fn target_result(&self) -> &'static str {
        match self.meets_target() {
            Some(true) => "met",
            Some(false) => "missed",
            None => "",
        }
    }

    pub fn target_text(&self) -> String {
        match self.target {
            Some(Target::AtLeast(minimum)) => format!("at least {}", self.unit.format(minimum)),
            Some(Target::AtMost(maximum)) => format!("at most {}", self.unit.format(maximum)),
            None => String::new(),
        }
    }
}

impl Unit {
    pub fn format(self, value: f64) -> String {
        match self {
            Self::Ratio => format!("{value:.3}"),
            Self::Milliseconds => format!("{value:.2} ms"),
            Self::Bytes => format!("{:.1} KiB", value / 1024.0),
            Self::Batches => format!("{value:.2} batches"),
            Self::MibPerHour => format!("{value:.1} MiB/h"),
        }
    }
}

impl ReportTable {
    pub fn new(header: &[&str]) -> Self {
        Self {
            header: header.iter().map(|&cell| cell.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub fn add_row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}
