//! The objective of a recommendation: constraints, and what to make large or small.

use std::fmt;

use crate::evaluation::recompute::{RadiusGrid, Setting, SettingSummary};

/// The objective of a recommendation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Objective {
    /// An answer counts as certified if its radius is at least this, in the units of the float
    /// input; `None` if any certificate counts.
    pub radius: Option<f64>,
    /// The smallest accepted share of right answers.
    pub min_clean_accuracy: Option<f64>,
    /// The smallest accepted share of answers that are right and certified.
    pub min_certified: Option<f64>,
    /// The most votes that 99 of 100 answers may take.
    pub max_p99_votes: Option<u64>,
    /// The accepted values of alpha, and of a `fallback_alpha` that differs from it: the guard rails
    /// `mixture.alpha_min` and `mixture.alpha_max`. `None` accepts every weight.
    pub guard_rails: Option<(f64, f64)>,
    /// The cost of each kind of answer. Its mean is made small. Without costs, the right and
    /// certified share is made large; if that is only bounded from below, the clean accuracy.
    pub costs: Option<Costs>,
}

/// The cost of each kind of answer, in any unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// A right and certified answer.
    pub right_certified: f64,
    /// A right answer without a certificate.
    pub right: f64,
    /// Added for every answer without a certificate: the cost of not being able to rely on it.
    pub abstained: f64,
    /// A wrong answer without a certificate.
    pub wrong: f64,
    /// A wrong answer with a certificate, on which a caller relies.
    pub wrong_certified: f64,
}

/// The names of the costs on the command line.
const COST_NAMES: [&str; 5] = ["right-certified", "right", "abstained", "wrong", "wrong-certified"];

impl Costs {
    /// Parses `right-certified=0,right=1,abstained=2,wrong=10,wrong-certified=20`. A kind that is left
    /// out costs 0.
    ///
    /// # Errors
    /// A message that names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut values = [None; COST_NAMES.len()];
        for part in text.split(',') {
            let expected = || {
                format!(
                    "expected KIND=COST separated by commas, with the kinds {}, found {part:?}",
                    COST_NAMES.join(", ")
                )
            };
            let (name, value) = part.split_once('=').ok_or_else(expected)?;
            let place = COST_NAMES
                .iter()
                .position(|known| *known == name.trim())
                .ok_or_else(expected)?;
            let cost: f64 = value.trim().parse().map_err(|_| expected())?;
            if !(cost.is_finite() && cost.abs() <= 1e12) {
                return Err(format!("expected a cost from -1e12 to 1e12, found {part:?}"));
            }
            if values[place].replace(cost).is_some() {
                return Err(format!("{} is given twice", COST_NAMES[place]));
            }
        }
        let [right_certified, right, abstained, wrong, wrong_certified] = values.map(|value| value.unwrap_or(0.0));
        Ok(Self {
            right_certified,
            right,
            abstained,
            wrong,
            wrong_certified,
        })
    }

    /// The cost of one answer.
    #[must_use]
    pub fn of(&self, is_right: bool, is_certified: bool) -> f64 {
        match (is_right, is_certified) {
            (true, true) => self.right_certified,
            (true, false) => self.right + self.abstained,
            (false, false) => self.wrong + self.abstained,
            (false, true) => self.wrong_certified,
        }
    }

    /// The smallest and the largest cost of an answer.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        let all = [(true, true), (true, false), (false, false), (false, true)]
            .map(|(right, certified)| self.of(right, certified));
        all.iter()
            .fold((all[0], all[0]), |(low, high), &cost| (low.min(cost), high.max(cost)))
    }
}

/// The numbers of one setting that an objective reads, over the labelled inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    /// The labelled inputs.
    pub inputs: u64,
    /// The right answers.
    pub right: u64,
    /// The right answers that are certified at the radius of the objective.
    pub certified: u64,
    /// The wrong answers that are certified at this radius.
    pub wrong_certified: u64,
    /// The votes that suffice for 99 of 100 answers.
    pub p99_votes: u64,
}

/// A bound that a setting must keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Constraint {
    /// The smallest accepted share of right answers.
    MinCleanAccuracy(f64),
    /// The smallest accepted share of right and certified answers.
    MinCertified(f64),
    /// The most votes for 99 of 100 answers.
    MaxP99Votes(u64),
}

impl Measures {
    /// The share of right answers; 0 without inputs.
    #[must_use]
    pub fn clean_accuracy(&self) -> f64 {
        share(self.right, self.inputs)
    }

    /// The share of right and certified answers; 0 without inputs.
    #[must_use]
    pub fn certified_share(&self) -> f64 {
        share(self.certified, self.inputs)
    }

    /// The mean cost of an answer; 0 without inputs.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the counts stay far below 2^53")]
    pub fn mean_cost(&self, costs: &Costs) -> f64 {
        let wrong = self.inputs - self.right;
        let kinds = [
            (self.certified, costs.of(true, true)),
            (self.right - self.certified, costs.of(true, false)),
            (wrong - self.wrong_certified, costs.of(false, false)),
            (self.wrong_certified, costs.of(false, true)),
        ];
        let total: f64 = kinds.iter().map(|&(count, cost)| count as f64 * cost).sum();
        total / (self.inputs as f64).max(1.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "the counts stay far below 2^53")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl Objective {
    /// The numbers of `summary`. The radius of the objective is one of `grid`; a grid without it
    /// counts nothing as certified.
    #[must_use]
    pub fn measures(&self, summary: &SettingSummary, grid: &RadiusGrid) -> Measures {
        let at = |counts: &[u64], any: u64| match self.radius {
            None => any,
            Some(radius) => {
                let count = grid.index_of(radius).and_then(|index| counts.get(index));
                count.copied().unwrap_or(0)
            }
        };
        Measures {
            inputs: summary.labelled,
            right: summary.right,
            certified: at(&summary.right_certified_at, summary.right_certified),
            wrong_certified: at(&summary.wrong_certified_at, summary.wrong_certified),
            p99_votes: summary.votes_quantile(0.99),
        }
    }

    /// The constraints.
    #[must_use]
    pub fn constraints(&self) -> Vec<Constraint> {
        let clean = self.min_clean_accuracy.map(Constraint::MinCleanAccuracy);
        let certified = self.min_certified.map(Constraint::MinCertified);
        let votes = self.max_p99_votes.map(Constraint::MaxP99Votes);
        [clean, certified, votes].into_iter().flatten().collect()
    }

    /// Whether the guard rails accept the weights of `setting`.
    #[must_use]
    pub fn accepts(&self, setting: &Setting) -> bool {
        let Some((low, high)) = self.guard_rails else {
            return true;
        };
        let is_inside = |weight: f64| low <= weight && weight <= high;
        is_inside(setting.alpha()) && (setting.mixture.weights.is_constant() || is_inside(setting.fallback_alpha()))
    }

    /// How much the measures miss the constraints: 0 if they keep all of them. A missing share counts
    /// as it is, and surplus votes as a share of the bound.
    #[must_use]
    pub fn shortfall(&self, measures: &Measures) -> f64 {
        let missing = self.constraints().into_iter().map(|constraint| match constraint {
            Constraint::MinCleanAccuracy(least) => least - measures.clean_accuracy(),
            Constraint::MinCertified(least) => least - measures.certified_share(),
            #[expect(clippy::cast_precision_loss, reason = "votes stay far below 2^53")]
            Constraint::MaxP99Votes(most) => (measures.p99_votes as f64 - most as f64) / (most as f64).max(1.0),
        });
        missing.map(|missing| missing.max(0.0)).sum()
    }

    /// The value that a better setting has larger.
    #[must_use]
    pub fn value(&self, measures: &Measures) -> f64 {
        match &self.costs {
            Some(costs) => -measures.mean_cost(costs),
            None if self.is_about_clean_accuracy() => measures.clean_accuracy(),
            None => measures.certified_share(),
        }
    }

    /// Whether the clean accuracy is made large: the certified share is only bounded from below.
    fn is_about_clean_accuracy(&self) -> bool {
        self.min_certified.is_some() && self.min_clean_accuracy.is_none()
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certified = match self.radius {
            Some(radius) => format!("certified at {radius}"),
            None => "certified".to_owned(),
        };
        if self.costs.is_some() {
            write!(
                formatter,
                "the smallest mean cost of an answer, where {certified} counts as certified"
            )?;
        } else if self.is_about_clean_accuracy() {
            formatter.write_str("the most right answers")?;
        } else {
            write!(formatter, "the most answers that are right and {certified}")?;
        }
        for (index, constraint) in self.constraints().into_iter().enumerate() {
            formatter.write_str(if index == 0 { ", with " } else { " and " })?;
            match constraint {
                Constraint::MinCleanAccuracy(least) => write!(formatter, "at least {} % right", percent(least))?,
                Constraint::MinCertified(least) => {
                    write!(formatter, "at least {} % right and {certified}", percent(least))?;
                }
                Constraint::MaxP99Votes(most) => write!(formatter, "at most {most} votes for 99 % of the answers")?,
            }
        }
        Ok(())
    }
}

/// A share in percent, with the digits that the user gave.
fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_parsed_by_name() {
        let Ok(costs) = Costs::parse("right-certified=-1, abstained=2,wrong=10") else {
            unreachable!("the text is valid");
        };
        assert_eq!(
            (costs.right_certified, costs.right, costs.abstained, costs.wrong),
            (-1.0, 0.0, 2.0, 10.0)
        );
        assert_eq!(
            (costs.of(true, false), costs.of(false, false), costs.of(false, true)),
            (2.0, 12.0, 0.0)
        );
        assert_eq!(costs.range(), (-1.0, 12.0));
        for wrong in [
            "",
            "wrong",
            "bad=1",
            "wrong=x",
            "wrong=nan",
            "wrong=1,wrong=2",
            "wrong=1e13",
        ] {
            assert!(Costs::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_shortfall_adds_what_each_constraint_misses() {
        let objective = Objective {
            min_clean_accuracy: Some(0.92),
            min_certified: Some(0.3),
            max_p99_votes: Some(100),
            ..Objective::default()
        };
        let measures = Measures {
            inputs: 100,
            right: 90,
            certified: 40,
            wrong_certified: 1,
            p99_votes: 150,
        };
        assert!((objective.shortfall(&measures) - 0.52).abs() < 1e-12);
        assert!((objective.value(&measures) - 0.4).abs() < 1e-12);
        let text = objective.to_string();
        assert_eq!(
            text,
            "the most answers that are right and certified, with at least 92 % right and at least 30 % right and certified \
             and at most 100 votes for 99 % of the answers"
        );
        let costs = Costs::parse("right=1,abstained=2,wrong=10,wrong-certified=50");
        assert!(
            costs.is_ok_and(
                |costs| (measures.mean_cost(&costs) - (50.0 * 3.0 + 9.0 * 12.0 + 50.0) / 100.0).abs() < 1e-12
            )
        );
    }
}
