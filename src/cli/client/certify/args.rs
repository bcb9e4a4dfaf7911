//! The arguments of `certimix certify`, and the request that they make.

use clap::ValueEnum;

use crate::cli::client::inference_args::{InferenceArgs, TABLE_HELP};
use crate::rpc::proto::{BoundMethod, CertifyRequest, Tensor};

const HELP: &str = "\
Examples:
  certimix certify cat.png --votes 10000 --deadline 1m
  certimix certify *.png --target-radius 0.25 --failure-probability 1e-9
  certimix certify cat.png --bound clopper-pearson --votes 100000 --deadline 10m
  certimix certify cat.png --stream

Without --target-radius, the server draws all votes and returns the largest radius that they prove. With it, the server \
stops as soon as that radius is proven or is out of reach. At the deadline it returns the radius proven so far. \
`certimix info` shows the operator's limits.

A failure probability applies to one input, over the server's own noise. For N inputs at failure probability delta, the \
probability that any certificate is false is at most N * delta. \"claimed\" in the table means that the radius depends on \
the model's manifest alone.

--json prints the same lines as `certimix predict --json`. With --stream it prints one line for each message, and \
\"final\" is true in the last.";

/// Certify files with your own target radius, votes and failure probability
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{HELP}\n\n{TABLE_HELP}"))]
pub struct CertifyArgs {
    /// Files, server, output
    #[command(flatten)]
    pub inference: InferenceArgs,

    /// Stop as soon as this radius is proven, in the units of the float input
    #[arg(long, value_name = "R")]
    pub target_radius: Option<f64>,

    /// The maximum number of votes [default: the operator's]
    #[arg(long, value_name = "N")]
    pub votes: Option<u64>,

    /// The probability, over the server's own noise, that a certificate is false [default: the
    /// operator's]
    #[arg(long, value_name = "P")]
    pub failure_probability: Option<f64>,

    /// The method that converts votes into bounds [default: the operator's]
    #[arg(long, value_enum)]
    pub bound: Option<BoundArg>,

    /// Show the radius while it grows
    #[arg(long, conflicts_with = "batch")]
    pub stream: bool,
}

/// The method that converts votes into bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BoundArg {
    /// Valid after every vote, so that the server may stop early
    Anytime,
    /// Exact for a number of votes fixed beforehand, as published work reports
    ClopperPearson,
}

impl CertifyArgs {
    /// The request for some inputs.
    pub(super) fn request(&self, inputs: Tensor) -> CertifyRequest {
        let bound = match self.bound {
            None => BoundMethod::Unspecified,
            Some(BoundArg::Anytime) => BoundMethod::Anytime,
            Some(BoundArg::ClopperPearson) => BoundMethod::ClopperPearson,
        };
        CertifyRequest {
            inputs: Some(inputs),
            include_components: self.inference.components,
            target_radius: self.target_radius,
            vote_budget: self.votes,
            failure_probability: self.failure_probability,
            bound: bound.into(),
            priority: self.inference.wire_priority(),
            include_model_outputs: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    fn parse(words: &[&str]) -> Result<CertifyArgs, clap::Error> {
        let command = CertifyArgs::augment_args(clap::Command::new("certify"));
        CertifyArgs::from_arg_matches(&command.try_get_matches_from([&["certify"], words].concat())?)
    }

    #[test]
    fn absent_options_are_left_to_the_operator() -> anyhow::Result<()> {
        let request = parse(&["x.png"])?.request(Tensor::default());
        assert_eq!(
            (request.target_radius, request.vote_budget, request.failure_probability),
            (None, None, None)
        );
        assert_eq!(request.bound, i32::from(BoundMethod::Unspecified));
        let request = parse(&["x.png", "--bound", "clopper-pearson", "--votes", "9"])?.request(Tensor::default());
        assert_eq!(
            (request.vote_budget, request.bound),
            (Some(9), i32::from(BoundMethod::ClopperPearson))
        );
        Ok(())
    }

    #[test]
    fn wrong_usage_is_rejected() {
        for words in [
            &[][..],
            &["x.png", "--batch", "0"],
            &["x.png", "--bound", "magic"],
            &["x.png", "--deadline", "x"],
        ] {
            assert!(parse(words).is_err(), "{words:?}");
        }
        assert!(parse(&["x.png", "--stream"]).is_ok());
        assert!(parse(&["x.png", "--stream", "--batch", "2"]).is_err());
    }
}
