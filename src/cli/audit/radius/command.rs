//! `certimix radius`: the mathematics as a command.

use std::io::{self, BufRead as _};

use anyhow::Context as _;
use serde::Serialize;

use crate::cli::audit::radius::evaluation::answer;
use crate::cli::audit::radius::field_reader::FieldError;
use crate::cli::output::{self, EXIT_CODES, Exit};

const HELP: &str = r#"Every line of stdin is a JSON object, every line of stdout its answer, in order. Fields:

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
  logits              z, one for each class; rounded to float32, as networks put them out
  temperature         T of h = softmax(z / T) [default: 1]
  constant            L
  constant_kind       "vector" (the logits together, l2) or "per_logit" (each by itself, any norm)
  error_bound         rounding error of each logit [default: 0]

From votes:
  bound               "anytime" or "clopper_pearson"
  votes               all of them
  votes_for_class
  votes_for_runner_up the largest count of another class; if it is there, both classes are bounded,
                      each with half of the failure probability
  failure_probability
  total_variation     of the noise from the exact Gaussian [default: 0]
  method, alpha, sigma   also compute a radius, "tight" unless "theorem2" is asked for
  target_radius       test this radius too (anytime, one class: with half of the failure probability)

Any line:
  id                  comes back instead of the question

Answers: id or input, p_lower, p_lower_complement (1 - p_lower, with all its digits), p_upper, radius, target_accepted.
Lower bounds and radii are rounded down, upper bounds up. A radius of 0 is no certificate. A line that is wrong is answered
with {"line": …, "error": {"field": …, "message": …}}; the others are answered all the same, and the exit code is 1.

Examples:
  echo '{"method": "tight", "alpha": 0.76, "sigma": 0.5, "p_lower": 0.99}' | certimix radius
  echo '{"bound": "anytime", "votes": 300, "votes_for_class": 290, "failure_probability": 1e-6}' | certimix radius"#;

/// Compute bounds and radii, JSON lines in, JSON lines out
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{HELP}\n\n{EXIT_CODES}"))]
pub struct RadiusArgs {}

/// The answer to a line that is wrong.
#[derive(Serialize)]
struct Wrong {
    line: usize,
    error: FieldError,
}

/// Answers the questions on stdin.
///
/// # Errors
/// When stdin cannot be read or stdout not be written, and [`Exit`] with 1 if a line was wrong.
pub fn run(_: &RadiusArgs) -> anyhow::Result<()> {
    let mut all_well = true;
    for (number, line) in io::stdin().lock().lines().enumerate() {
        let line = line.context("cannot read stdin")?;
        if line.trim().is_empty() {
            continue;
        }
        match answer(&line) {
            Ok(answer) => output::line(serde_json::to_string(&answer)?)?,
            Err(error) => {
                all_well = false;
                let wrong = Wrong {
                    line: number + 1,
                    error,
                };
                output::line(serde_json::to_string(&wrong)?)?;
            }
        }
    }
    if all_well { Ok(()) } else { Err(Exit(1).into()) }
}
