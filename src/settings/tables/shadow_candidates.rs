//! `mixture.shadow_candidates` and its short form `mixture.shadow_alphas`: mixtures that the server
//! evaluates on live traffic without serving them.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use config::{Map, Value, ValueKind};

use super::mixture::{MixtureSettings, TEMPERATURE_RANGE};
use crate::certificate::{Alpha, MixingWeights, Temperature};
use crate::settings::reader::Reader;
use crate::settings::setting_key::{SettingKey, ValueFormat};
use crate::settings::typed_values::as_float;

/// Most candidates. Each costs a mixture and a certificate per input.
const MAX_CANDIDATES: usize = 16;
const FIELDS: [&str; 3] = ["alpha", "robust_temperature", "fallback_alpha"];

const CANDIDATES: SettingKey = SettingKey::live(
    "mixture.shadow_candidates",
    "Mixtures that the server evaluates on live traffic without serving them. `robust_temperature` and \
     `fallback_alpha` default to those of the mixture; a `fallback_alpha` that is left out is at most the candidate's \
     `alpha`.",
);
const ALPHAS: SettingKey = SettingKey::live(
    "mixture.shadow_alphas",
    "Short form of `mixture.shadow_candidates` for candidates that differ from the mixture in alpha only.",
);

/// One entry of the list, as the file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    alpha: f64,
    robust_temperature: Option<f64>,
    fallback_alpha: Option<f64>,
}

/// A list of candidates, displayed as TOML writes it.
struct Candidates(Vec<Candidate>);

/// The candidates of both keys, in ascending order and without duplicates. `served` supplies what
/// an entry leaves out; without it, which is a violation of its own, there are no candidates.
pub(in crate::settings) fn read(reader: &mut Reader, served: Option<MixtureSettings>) -> Vec<MixtureSettings> {
    let alphas = reader.floats(
        ALPHAS,
        MAX_CANDIDATES,
        "a list of at most 16 numbers from 0 to 1, such as [0.6, 0.9]",
        |alpha| Alpha::new(alpha).is_ok(),
    );
    let format = ValueFormat {
        value_type: "list of tables",
        accepted: "a list of at most 16 tables, each with alpha from 0 to 1, and optionally robust_temperature from \
                   1e-6 to 1e6 and fallback_alpha from 0 to its alpha, such as [{ alpha = 0.8, fallback_alpha = 0.0 }]"
            .to_owned(),
        default: Some("[]".to_owned()),
    };
    let entries = reader.read(CANDIDATES, &format, Some(Candidates(Vec::new())), parse_list);
    let entries = entries.map_or_else(Vec::new, |entries| entries.0);
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

fn parse_list(kind: &ValueKind) -> Option<Candidates> {
    let ValueKind::Array(entries) = kind else {
        return None;
    };
    let candidates = entries.iter().map(parse_candidate).collect::<Option<Vec<_>>>()?;
    (candidates.len() <= MAX_CANDIDATES).then_some(Candidates(candidates))
}

fn parse_candidate(entry: &Value) -> Option<Candidate> {
    let ValueKind::Table(table) = &entry.kind else {
        return None;
    };
    let known: BTreeSet<&str> = FIELDS.into();
    if !table.keys().all(|name| known.contains(name.as_str())) {
        return None;
    }
    let alpha = weight(table, "alpha")??;
    let fallback_alpha = weight(table, "fallback_alpha")?;
    let robust_temperature = number(table, "robust_temperature")?;
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
    match number(table, name)? {
        Some(weight) => Alpha::new(weight).ok().map(|alpha| Some(alpha.get())),
        None => Some(None),
    }
}

/// The number in field `name`: `Some(None)` if the field is absent, `None` if it is no number.
fn number(table: &Map<String, Value>, name: &str) -> Option<Option<f64>> {
    table
        .get(name)
        .map_or(Some(None), |value| as_float(&value.kind).map(Some))
}

impl Display for Candidates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<String> = self.0.iter().map(Candidate::to_string).collect();
        write!(formatter, "[{}]", entries.join(", "))
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
