//! A made-up mixture for unit tests.

use super::data::MixtureResult;

/// A paper's mixture of alpha 0.75 with these counts of 100 inputs.
pub(super) fn mixture_with(right: u64, certified: Vec<u64>) -> MixtureResult {
    MixtureResult {
        alpha: 0.75,
        robust_temperature: 1.0,
        fallback_alpha: 0.75,
        inputs: 100,
        right: Some(right),
        as_standard: None,
        certified,
        uncertified: 50,
        open: 0,
        papers_radius: None,
        histogram: Vec::new(),
        classes: Vec::new(),
        votes: None,
        command: "certimix alpha set 0.75".to_owned(),
    }
}
