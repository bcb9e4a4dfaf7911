//! `certimix certify`.

use clap::ValueEnum;

use crate::cli::client::certify::stream;
use crate::cli::client::connection::server_connection::Connection;
use crate::cli::client::inference_args::CommonArgs;
use crate::cli::client::requests::inference_session::{Answer, Session};
use crate::cli::output::EXIT_CODES;
use crate::rpc::proto::{BoundMethod, CertifyRequest, Tensor};

const EXAMPLES: &str = "\
Examples:
  certimix certify cat.png --votes 10000 --deadline 1m
  certimix certify *.png --target-radius 0.25 --failure-probability 1e-9
  certimix certify cat.png --bound clopper-pearson --votes 100000 --deadline 10m
  certimix certify cat.png --stream

Without --target-radius all votes are drawn and the radius is the largest that they prove. With it the server stops as \
soon as that radius is proven, or is out of reach. At the deadline it answers with what is proven so far. \
`certimix info` shows the operator's limits.

A failure probability is that of one input, over the server's own noise: N inputs at delta each fail, any one of them, with \
at most N * delta together. \"claimed\" in the table means that the model's manifest alone vouches for the radius.

--json prints the same lines as `certimix predict --json`; with --stream one line a message, and \"final\": true in \
the last.";

/// Prove answers with your own target, votes and failure probability
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct CertifyArgs {
    /// Files, server, output
    #[command(flatten)]
    pub common: CommonArgs,

    /// Stop as soon as this radius is proven, in the units of the float input
    #[arg(long, value_name = "R")]
    pub target_radius: Option<f64>,

    /// Votes to draw at most [default: the operator's]
    #[arg(long, value_name = "N")]
    pub votes: Option<u64>,

    /// How often a proof may be false, over the server's own noise [default: the operator's]
    #[arg(long, value_name = "P")]
    pub failure_probability: Option<f64>,

    /// How votes become bounds [default: the operator's]
    #[arg(long, value_enum)]
    pub bound: Option<Bound>,

    /// Show the radius as it grows
    #[arg(long, conflicts_with = "batch")]
    pub stream: bool,
}

/// How votes become bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Bound {
    /// Valid at every moment: may stop early
    Anytime,
    /// Exact for a number of votes fixed beforehand, as published work reports
    ClopperPearson,
}

impl CertifyArgs {
    /// The request for some inputs.
    pub(crate) fn request(&self, inputs: Tensor) -> CertifyRequest {
        let bound = match self.bound {
            None => BoundMethod::Unspecified,
            Some(Bound::Anytime) => BoundMethod::Anytime,
            Some(Bound::ClopperPearson) => BoundMethod::ClopperPearson,
        };
        CertifyRequest {
            inputs: Some(inputs),
            include_components: self.common.components,
            target_radius: self.target_radius,
            vote_budget: self.votes,
            failure_probability: self.failure_probability,
            bound: bound.into(),
            priority: self.common.priority(),
        }
    }
}

/// Asks the server for a certificate of each file.
///
/// # Errors
/// A file that does not fit the model, or a server that cannot be reached or refuses.
pub async fn run(args: CertifyArgs) -> anyhow::Result<()> {
    let session = Session::open(&args.common).await?;
    if args.stream {
        return stream::run(&args, session).await;
    }
    let send = |connection: Connection, inputs| {
        let request = connection.request(args.request(inputs));
        async move {
            let answer = connection.client.clone().certify(request).await?.into_inner();
            Ok(Answer {
                predictions: answer.predictions,
                provenance: answer.provenance,
            })
        }
    };
    session.run(&args.common, send).await
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
    fn what_is_not_said_is_left_to_the_operator() -> anyhow::Result<()> {
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
    fn usage_errors() {
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
