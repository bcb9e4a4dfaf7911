//! The report of an evaluation: one HTML file that needs no network.
//!
//! 1. [`ReportData`] holds every number of the page. [`frontier`] and [`confidence`] compute those
//!    that compare mixtures or bound a share.
//! 2. [`html_page`] puts the data, the style, the scripts of `page/` and the chart library of
//!    `page/vendor/` into one file. The scripts only look numbers up.

mod confidence;
mod data;
mod frontier;
mod html_page;
#[cfg(test)]
mod sample_mixture;
#[cfg(test)]
mod synthetic;

pub use confidence::{CONFIDENCE_TEXT, intervals_of};
pub use data::{
    ClassCounts, Disagreement, DisagreementGroup, Disagreements, Frontier, MeasuredFact, MixtureResult, ReportData,
    ReportSource, RobustCurve, VoteStatistics,
};
pub use frontier::frontiers;
pub use html_page::{PageError, html_page};
