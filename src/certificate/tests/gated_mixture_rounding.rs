//! The rounding of the margin that selects the weight, against exact arithmetic.
//!
//! Every certificate proves a margin of at least `mu + mixing_allowance` for the outputs that the
//! server computes at each point of the ball. The server then computes that margin itself, and the
//! mixture, in float64. `docs/concepts/certificates.md`, section 2, bounds both errors. These tests
//! search for larger ones. Errors are in units of `u = 2^-52`. `cargo test --lib
//! gated_mixture_rounding -- --nocapture` prints the largest; `CERTIMIX_FUZZ_SECONDS=600` searches
//! longer.

use super::reference_tables::{number, numbers, table};
use crate::certificate::fuzzing::high_precision_lipschitz::{HighPrecision, high_precision};
use crate::certificate::mixing_weights::probability_margin;
use crate::certificate::{
    Alpha, LOG_FLOOR, MixingWeights, Temperature, WeightRule, argmax, log_probabilities, log_softmax, mixed_logits,
    mixing_allowance,
};
use std::time::{Duration, Instant};

const UNIT: f64 = f64::EPSILON;

/// The largest error of the computed margin, in units of u, that section 2 of the document proves.
fn proven_margin_error(is_logits: bool, classes: usize) -> f64 {
    let classes = classes as f64;
    if is_logits {
        3.7 + 2.0 * classes.ln() + classes / 2.0
    } else {
        3.3
    }
}

/// One row of the robust network, as the server reads it.
#[derive(Debug, Clone)]
struct RobustRow {
    is_logits: bool,
    values: Vec<f32>,
    temperature: f64,
}

impl RobustRow {
    fn log_probs(&self) -> Vec<f64> {
        if self.is_logits {
            log_softmax(&self.values, Temperature::new(self.temperature).unwrap())
        } else {
            log_probabilities(&self.values)
        }
    }

    /// The exact margin of `softmax(values / T)`, or of the values limited to [0, 1].
    fn exact_margin(&self) -> HighPrecision {
        let exact = |z: f32| high_precision(f64::from(z));
        let mut values = self.values.clone();
        values.sort_by(|a, b| b.total_cmp(a));
        if !self.is_logits {
            return exact(values[0].clamp(0.0, 1.0)) - exact(values[1].clamp(0.0, 1.0));
        }
        let t = high_precision(self.temperature);
        let power = |z: f32| {
            let exponent = (exact(z) - exact(values[0])) / &t;
            // Smaller powers change the margin by less than 1e-80.
            if exponent < high_precision(-200.0) {
                high_precision(0.0)
            } else if exponent == HighPrecision::ZERO {
                high_precision(1.0)
            } else {
                exponent.exp()
            }
        };
        let second = power(values[1]);
        let sum = values.iter().fold(high_precision(0.0), |sum, &z| sum + power(z));
        (high_precision(1.0) - second) / sum
    }

    /// A standard network that is certain of the runner-up of this row: the worst one.
    fn worst_standard_log_probs(&self) -> Vec<f64> {
        let class = argmax(&self.log_probs()).unwrap();
        let others = (0..self.values.len()).filter(|&i| i != class);
        let runner_up = others
            .max_by(|&i, &j| self.values[i].total_cmp(&self.values[j]))
            .unwrap();
        (0..self.values.len())
            .map(|i| if i == runner_up { 0.0 } else { LOG_FLOOR })
            .collect()
    }
}

/// `x / u` as a float.
fn in_units(x: &HighPrecision) -> f64 {
    (x.clone() / high_precision(UNIT)).to_f64().value()
}

/// `margin - mu` in units of u, for the exact mu of `alpha`.
fn excess(margin: &HighPrecision, alpha: Alpha) -> f64 {
    let a = high_precision(alpha.get());
    in_units(&(margin.clone() - (high_precision(1.0) - &a) / a))
}

/// The alpha whose mu is about `units` u below `margin`; `None` if no alpha has that mu.
fn alpha_below(margin: &HighPrecision, units: f64) -> Option<Alpha> {
    let mu = margin.clone() - high_precision(units * UNIT);
    let one = high_precision(1.0);
    let in_range = mu >= high_precision(0.0) && mu <= one;
    in_range.then(|| Alpha::new((one.clone() / (one + mu)).to_f64().value()).unwrap())
}

/// Draws rows with margins from 1e-12 to nearly 1, and changes them by a few units in the last
/// place.
struct RowGenerator(fastrand::Rng);

impl RowGenerator {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.f64()
    }

    #[expect(clippy::cast_possible_truncation, reason = "the rows of a model are float32")]
    fn row(&mut self) -> RobustRow {
        let classes = [2, 2, 3, 5, 10][self.0.usize(..5)];
        let is_logits = self.0.u8(..4) > 0;
        let temperature = 10.0_f64.powf(self.between(-3.0, 3.0));
        let scale = if is_logits { temperature } else { 1.0 };
        let top = self.between(0.0, 1.0) * scale;
        let values = (0..classes).map(|i| {
            let gap = 10.0_f64.powf(self.between(-12.0, 1.6)) * scale;
            match (is_logits, i) {
                (_, 0) => top as f32,
                (true, _) => (top - gap) as f32,
                (false, _) => (top - gap).max(0.0) as f32,
            }
        });
        RobustRow {
            is_logits,
            values: values.collect(),
            temperature,
        }
    }

    fn neighbour(&mut self, row: &RobustRow) -> RobustRow {
        let mut row = row.clone();
        let (index, steps) = (self.0.usize(..row.values.len()), self.0.u8(1..4));
        for _ in 0..steps {
            let value = row.values[index];
            row.values[index] = if self.0.bool() {
                value.next_up()
            } else {
                value.next_down()
            };
        }
        row
    }
}

/// Calls `badness` with many rows, and returns its largest value with that row. Half of the rows are
/// changes of the worst row so far.
fn search_worst(
    seed: u64,
    evaluations: u32,
    mut badness: impl FnMut(&RobustRow, &mut RowGenerator) -> f64,
) -> (f64, RobustRow) {
    let seconds = std::env::var("CERTIMIX_FUZZ_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok());
    let (start, limit) = (Instant::now(), Duration::from_secs(seconds.unwrap_or(0)));
    let mut generator = RowGenerator(fastrand::Rng::with_seed(seed));
    let first = generator.row();
    let mut worst = (badness(&first, &mut generator), first);
    let mut evaluated = 0;
    while evaluated < evaluations || start.elapsed() < limit {
        evaluated += 1;
        let row = if evaluated % 2 == 0 {
            generator.row()
        } else {
            generator.neighbour(&worst.1)
        };
        let found = badness(&row, &mut generator);
        if found > worst.0 {
            worst = (found, row);
        }
    }
    println!("{evaluated} rows searched");
    worst
}

#[test]
fn the_rule_agrees_with_exact_arithmetic_outside_the_allowance() {
    let (mut cases, mut largest) = ((0, 0), 0.0_f64);
    for row in table("gated_rules.json") {
        #[expect(clippy::cast_possible_truncation, reason = "the table's rows are floats of 32 bits")]
        let values: Vec<f32> = numbers(&row, "row").iter().map(|&value| value as f32).collect();
        let robust = RobustRow {
            is_logits: row["kind"] == "logits",
            values,
            temperature: number(&row, "temperature"),
        };
        let exact: f64 = row["margin"]["exact"].as_str().unwrap().parse().unwrap();
        let classes = robust.values.len();
        let proven = proven_margin_error(robust.is_logits, classes);
        let log_probs = robust.log_probs();
        let error = (probability_margin(&log_probs) - exact).abs() / UNIT;
        largest = largest.max(error);
        // The conversion of the table's margin to a float costs half a unit.
        assert!(error <= proven + 0.5, "{row}: the margin is off by {error} u");
        for case in row["cases"].as_array().unwrap() {
            let alpha = Alpha::new(number(case, "alpha")).unwrap();
            let excess = number(case, "excess");
            let rule = MixingWeights::new(alpha, Alpha::new(0.0).unwrap())
                .unwrap()
                .rule(&log_probs);
            // Rounding mu up costs at most 1 u.
            if excess >= proven + 1.0 {
                assert_eq!(rule, WeightRule::Alpha, "{case} of {robust:?}");
                cases.0 += 1;
            } else if excess < -proven {
                assert_eq!(rule, WeightRule::Fallback, "{case} of {robust:?}");
                cases.1 += 1;
            }
        }
    }
    println!("the largest error of a margin in the table: {largest:.3} u");
    assert!(cases.0 > 100 && cases.1 > 50, "{cases:?} decide too little");
}

#[test]
fn no_row_has_a_margin_error_above_the_proven_one() {
    let mut largest: f64 = 0.0;
    for seed in 0..4 {
        let (worst, row) = search_worst(seed, 400, |row, _| {
            let computed = probability_margin(&row.log_probs());
            let error = in_units(&(high_precision(computed) - row.exact_margin())).abs();
            largest = largest.max(error);
            // A share of the bound compares rows of different lengths.
            error / proven_margin_error(row.is_logits, row.values.len())
        });
        println!("{worst:.3} of the proven error: {row:?}");
        assert!(worst <= 1.0, "{row:?}: {worst} of the proven error");
        assert!(worst > 0.0, "the search found no rounding at all");
    }
    println!("the largest error of a margin: {largest:.3} u");
}

/// The classifier as a whole: rule, mixture and class, against the worst standard network. The badness
/// of a row is the largest excess of its margin over mu at which the class of the robust network
/// loses. A certificate leaves an excess of at least `mixing_allowance`.
#[test]
fn no_margin_above_the_allowance_loses_its_class() {
    for seed in 0..4 {
        let (worst, row) = search_worst(seed, 400, |row, generator| {
            let (log_probs, standard, margin) = (row.log_probs(), row.worst_standard_log_probs(), row.exact_margin());
            let class = argmax(&log_probs);
            let allowance = mixing_allowance(row.values.len()) / UNIT;
            let mut largest = f64::NEG_INFINITY;
            let near_zero = [
                0.0,
                0.5,
                1.0,
                2.0,
                3.0,
                generator.between(-1.0, 8.0),
                generator.between(3.0, 40.0),
            ];
            let far = [allowance, generator.between(allowance, 1e4)];
            for target in near_zero.into_iter().chain(far) {
                let Some(alpha) = alpha_below(&margin, target) else {
                    continue;
                };
                let weights = MixingWeights::new(alpha, Alpha::new(0.0).unwrap()).unwrap();
                let rule = weights.rule(&log_probs);
                let mixed = mixed_logits(weights.weight(rule), &standard, &log_probs);
                if rule == WeightRule::Fallback || argmax(&mixed) != class {
                    largest = largest.max(excess(&margin, alpha));
                }
            }
            largest
        });
        println!("the largest excess that loses the class: {worst:.3} u, {row:?}");
        let allowance = mixing_allowance(row.values.len()) / UNIT;
        assert!(
            worst < allowance,
            "{row:?}: the class loses {worst} u above mu, at an allowance of {allowance} u"
        );
        assert!(worst.is_finite(), "the search found no margin that loses its class");
    }
}
