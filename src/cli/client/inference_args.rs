//! What `predict` and `certify` have in common.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::client::connection::server_connection::ConnectionArgs;
use crate::rpc::proto;

/// Files in, and how the answers are shown.
#[derive(Debug, Clone, clap::Args)]
pub struct CommonArgs {
    /// Inputs: PNG or JPEG images of the model's size, or .npy arrays (uint8 or float32), each one input of the model's
    /// shape or a batch of them ([N, ...])
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The server
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// One JSON object a line instead of the table: the input for `certimix verify` and `certimix replay`
    #[arg(long)]
    pub json: bool,

    /// A CSV file of lines "file,label" with the true classes. Without it, `0007-ship.png` is taken for a ship
    #[arg(long, value_name = "CSV")]
    pub labels: Option<PathBuf>,

    /// Also ask for the probabilities of each of the two models (shown with --json)
    #[arg(long)]
    pub components: bool,

    /// Resize images that are not of the model's size. The certificate is then about the resized image
    #[arg(long)]
    pub resize: bool,

    /// Inputs a request. With 1 the time shown is that of one input alone; with more, that of its whole request, and
    /// up to four requests are under way at once
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,

    /// How urgent this is: interactive rows run before all bulk rows [default: interactive for predict, bulk for certify]
    #[arg(long, value_enum)]
    pub priority: Option<Priority>,
}

/// How urgent a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Priority {
    /// Somebody waits for it. For certify within the operator's limit (`certimix info`)
    Interactive,
    /// Whenever there is room
    Bulk,
}

impl CommonArgs {
    /// Requests under way at once: one where times matter, a few where throughput does.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        if self.batch > 1 { 4 } else { 1 }
    }

    /// The priority as the wire names it.
    #[must_use]
    pub fn priority(&self) -> i32 {
        let priority = match self.priority {
            None => proto::Priority::Unspecified,
            Some(Priority::Interactive) => proto::Priority::Interactive,
            Some(Priority::Bulk) => proto::Priority::Bulk,
        };
        priority.into()
    }
}
