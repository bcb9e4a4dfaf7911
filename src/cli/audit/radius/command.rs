//! `certimix radius`.

use std::io;

use anyhow::Context as _;
use serde::Serialize;

use super::evaluation::evaluate_line;
use super::field_reader::FieldError;
use super::query_lines::QueryLines;
use crate::cli::output::{self, EXIT_CODES, SilentExit};

const HELP: &str = r#"Each line of stdin is a query, a JSON object. Each line of stdout is a result, in the same order. Fields of a query:

From bounds on a smoothed network's probabilities:
  method              "tight" or "theorem2"
  alpha               weight of the robust network, 0 to 1
  sigma               standard deviation of the noise
  p_lower             at most h_y; or p_lower_complement, at least 1 - h_y, for bounds near 1
  p_upper             at least every other h_i [default: 1 - p_lower]

From a network with Lipschitz probabilities:
  method              "theorem1"
  alpha
  probabilities       h, one for each class
  constants           L_i, one for each class
  error_bound         rounding error of each probability [default: 0]
  neighbourhood       radius in which the constants hold [default: everywhere]

From a network with Lipschitz logits:
  method              "logit_lipschitz"
  alpha
  logits              z, one for each class; rounded to float32, the type in which networks compute them
  temperature         T of h = softmax(z / T) [default: 1]
  constant            L
  constant_kind       "vector" (all logits together, l2) or "per_logit" (each logit by itself, any norm)
  error_bound         rounding error of each logit [default: 0]

From votes:
  bound               "anytime" or "clopper_pearson"
  votes               all votes
  votes_for_class
  votes_for_runner_up the largest count of another class; if it is present, both classes are bounded,
                      each with half of the failure probability
  failure_probability
  total_variation     distance of the noise from the exact Gaussian [default: 0]
  method, alpha, sigma   also compute a radius, with "tight" unless method is "theorem2"
  target_radius       also test this radius (anytime, one class: with half of the failure probability)

In every query:
  id                  copied to the result, which then does not repeat the query

Fields of a result: id or input, p_lower, p_lower_complement (1 - p_lower, with all its digits), p_upper, radius,
target_accepted. Lower bounds and radii are rounded down, upper bounds up. A radius of 0 is no certificate.
An invalid line gives {"line": ..., "error": {"field": ..., "message": ...}}. The other lines are still evaluated, and the
exit code is 1.

Examples:
  echo '{"method": "tight", "alpha": 0.76, "sigma": 0.5, "p_lower": 0.99}' | certimix radius
  echo '{"bound": "anytime", "votes": 300, "votes_for_class": 290, "failure_probability": 1e-6}' | certimix radius"#;

/// Compute bounds and radii, JSON lines in, JSON lines out
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{HELP}\n\n{EXIT_CODES}"))]
pub struct RadiusArgs {}

/// The output for an invalid line.
#[derive(Serialize)]
struct InvalidLine {
    line: usize,
    error: FieldError,
}

/// Evaluates the queries on stdin.
///
/// # Errors
/// When stdin cannot be read or stdout cannot be written; [`SilentExit`] with 1 if a line was
/// invalid.
pub fn run(_: &RadiusArgs) -> anyhow::Result<()> {
    let mut all_valid = true;
    let mut lines = QueryLines::new(io::stdin().lock());
    while let Some(line) = lines.next_line().context("cannot read stdin")? {
        let evaluated = match line {
            Ok(line) if line.trim().is_empty() => continue,
            Ok(line) => evaluate_line(&line),
            Err(error) => Err(error),
        };
        match evaluated {
            Ok(result) => output::line(serde_json::to_string(&result)?)?,
            Err(error) => {
                all_valid = false;
                let invalid = InvalidLine {
                    line: lines.number(),
                    error,
                };
                output::line(serde_json::to_string(&invalid)?)?;
            }
        }
    }
    if all_valid { Ok(()) } else { Err(SilentExit(1).into()) }
}
