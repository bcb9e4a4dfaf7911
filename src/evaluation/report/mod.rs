//! The report of an evaluation: one HTML file that needs no network.
//!
//! 1. [`RecordsReport`] computes a [`ReportData`], which holds every number of the page. [`frontier`]
//!    and [`confidence`] compute those that compare mixtures or bound a share.
//! 2. [`mod@html_page`] puts the data, the style, the scripts of `page/` and the chart library of
//!    `page/vendor/` into one file. The scripts only look numbers up.

mod confidence;
mod data;
mod disagreement_examples;
mod facts;
mod frontier;
mod html_page;
mod input_image;
mod papers_radius;
mod records_report;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
mod records_report_tests;
#[cfg(test)]
mod sample_mixture;
mod setting_grid;
#[cfg(test)]
mod synthetic;

pub use confidence::{CONFIDENCE_TEXT, intervals_of};
pub use data::{
    ClassCounts, Disagreement, DisagreementGroup, Disagreements, Frontier, MeasuredFact, MixtureResult, ReportData,
    ReportSource, RobustCurve, VoteStatistics,
};
pub use frontier::frontiers;
pub use html_page::{PageError, html_page};
pub use input_image::png_data_uri;
pub use records_report::RecordsReport;
