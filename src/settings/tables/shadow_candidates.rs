//! `mixture.shadow_candidates` and its short form `mixture.shadow_alphas`: mixtures that the server
//! evaluates on live traffic without serving them.

use std::fmt::{self, Display};

use config::{Map, Value};

use super::mixture::{MixtureSettings, TEMPERATURE_RANGE};
use crate::certificate::{Alpha, MixingWeights, Temperature};
use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};
use crate::settings::typed_values::number_field;

/// Most candidates. Each costs a mixture and a certificate per input.
const MAX_CANDIDATES: usize = 16;
const FIELDS: [&str; 3] = ["alpha", "robust_temperature", "fallback_alpha"];

const CANDIDATES: SettingKey = SettingKey::live(
    "mixture.shadow_candidates",
    KeyScope::Operation,
    "Mixtures that the server evaluates on live traffic without serving them. `robust_temperature` defaults to that of \
     the mixture. `fallback_alpha` defaults to that of the mixture, or to the candidate's `alpha` if that is smaller or \
     if the mixture has one weight only.",
);
const ALPHAS: SettingKey = SettingKey::live(
    "mixture.shadow_alphas",
    KeyScope::Operation,
    "Short form of `mixture.shadow_candidates` for candidates that differ from the mixture in alpha only.",
);

/// One entry of the list, as the file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    alpha: f64,
    robust_temperature: Option<f64>,
    fallback_alpha: Option<f64>,
}

/// The candidates of both keys, in ascending order and without duplicates. `served` supplies what
/// an entry leaves out; without it, which is a violation of its own, there are no candidates.
pub(in crate::settings) fn read(reader: &mut Reader, served: Option<MixtureSettings>) -> Vec<MixtureSettings> {
    let alphas = reader.floats(
        ALPHAS,
        MAX_CANDIDATES,
        "a list of at most 16 numbers from 0 to 1, such as [0.6, 0.9]",
        |alpha| Alpha::new(alpha).is_ok(),
    );
    let accepted = "a list of at most 16 tables, each with alpha from 0 to 1, and optionally robust_temperature from \
                   1e-6 to 1e6 and fallback_alpha from 0 to its alpha, such as [{ alpha = 0.8, fallback_alpha = 0.0 }]";
    let entries = reader.tables(CANDIDATES, MAX_CANDIDATES, accepted, &FIELDS, parse_candidate);
    let mut candidates: Vec<MixtureSettings> = alphas
        .into_iter()
        .map(|alpha| Candidate {
            alpha,
            robust_temperature: None,
            fallback_alpha: None,
        })
        .chain(entries)
        .filter_map(|candidate| candidate.mixture(served?))
        .collect();
    candidates.sort_by(|left, right| {
        order(left)
            .partial_cmp(&order(right))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    candidates.dedup();
    reader.check(candidates.len() <= MAX_CANDIDATES, CANDIDATES, || {
        format!(
            "expected at most {MAX_CANDIDATES} candidates together with mixture.shadow_alphas, found {}",
            candidates.len()
        )
    });
    candidates
}

fn order(candidate: &MixtureSettings) -> [f64; 3] {
    let weights = candidate.weights;
    [
        weights.alpha().get(),
        weights.fallback_alpha().get(),
        candidate.robust_temperature.get(),
    ]
}

impl Candidate {
    /// The candidate with the values that it leaves out. `None` only for values out of range, which
    /// the parser has rejected.
    fn mixture(self, served: MixtureSettings) -> Option<MixtureSettings> {
        let alpha = Alpha::new(self.alpha).ok()?;
        let fallback_alpha = match self.fallback_alpha {
            Some(weight) => Alpha::new(weight).ok()?,
            None if served.weights.is_constant() => alpha,
            None if served.weights.fallback_alpha() > alpha => alpha,
            None => served.weights.fallback_alpha(),
        };
        let robust_temperature = match self.robust_temperature {
            Some(temperature) => Temperature::new(temperature).ok()?,
            None => served.robust_temperature,
        };
        Some(MixtureSettings {
            weights: MixingWeights::new(alpha, fallback_alpha).ok()?,
            robust_temperature,
        })
    }
}

fn parse_candidate(table: &Map<String, Value>) -> Option<Candidate> {
    let alpha = weight(table, "alpha")??;
    let fallback_alpha = weight(table, "fallback_alpha")?;
    let robust_temperature = number_field(table, "robust_temperature")?;
    let in_range = robust_temperature.is_none_or(|value| TEMPERATURE_RANGE.contains(&value))
        && fallback_alpha.is_none_or(|weight| weight <= alpha);
    in_range.then_some(Candidate {
        alpha,
        robust_temperature,
        fallback_alpha,
    })
}

/// The weight in field `name`: `Some(None)` if the field is absent, `None` if it is no weight.
fn weight(table: &Map<String, Value>, name: &str) -> Option<Option<f64>> {
    match number_field(table, name)? {
        Some(weight) => Alpha::new(weight).ok().map(|alpha| Some(alpha.get())),
        None => Some(None),
    }
}

impl Display for Candidate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{{ alpha = {:?}", self.alpha)?;
        if let Some(temperature) = self.robust_temperature {
            write!(formatter, ", robust_temperature = {temperature:?}")?;
        }
        if let Some(fallback_alpha) = self.fallback_alpha {
            write!(formatter, ", fallback_alpha = {fallback_alpha:?}")?;
        }
        formatter.write_str(" }")
    }
}
