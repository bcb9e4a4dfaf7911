//! The arguments that `certimix predict` and `certimix certify` share.

use std::path::PathBuf;

use clap::ValueEnum;

use super::connection::ConnectionArgs;
use crate::rpc::proto;

/// The part of the help about files and tables that `predict` and `certify` share.
pub const TABLE_HELP: &str = "\
An image is turned upright as its Exif orientation says. A file that cannot be read, or an input that the server refuses, is \
reported with its name, and the others go on. A busy server is asked again within --deadline.

The table fits the terminal, or 80 columns in a pipe (COLUMNS sets another width). Where it does not fit, it loses in this \
order: the counts of votes, words of long names (never a part of a word), the column \"time\", the details of the certificate, \
and the columns \"true class\" and \"certificate\". Two classes with one label are told apart by their index.";

/// The input files, the server, and the format of the output.
#[derive(Debug, Clone, clap::Args)]
pub struct InferenceArgs {
    /// Inputs: PNG, JPEG, WebP or BMP images of the model's size, or .npy arrays (uint8 or float32),
    /// known by their content. An array holds one input of the model's shape, or a batch of them
    /// ([N, ...]). A directory stands for the images and arrays in it and in its subdirectories,
    /// sorted by path, without hidden ones; - stands for stdin
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The server
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Print one JSON object a line instead of the table. `certimix verify` and `certimix replay`
    /// read this format
    #[arg(long)]
    pub json: bool,

    /// A CSV file of lines "file,label" with the true classes, by label or by index. Without it, the
    /// true class of `0007-ship.png` is ship
    #[arg(long, value_name = "CSV")]
    pub labels: Option<PathBuf>,

    /// Also request the probabilities of each of the two models (printed with --json)
    #[arg(long)]
    pub components: bool,

    /// Resize images that do not have the model's size. The certificate is then about the resized
    /// image
    #[arg(long)]
    pub resize: bool,

    /// Inputs in each request, fewer if the server refuses so many. With 1, the time shown is that of
    /// one input. With more, it is that of the whole request, and up to four requests are in flight
    /// at once
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,

    /// The priority of the requests. Interactive rows run before all bulk rows [default:
    /// interactive for predict, bulk for certify]
    #[arg(long, value_enum)]
    pub priority: Option<PriorityArg>,
}

/// The priority of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PriorityArg {
    /// Someone waits for the response. For certify, within the operator's limit (`certimix info`)
    Interactive,
    /// Run when no interactive request is waiting
    Bulk,
}

impl InferenceArgs {
    /// The number of requests in flight: one where latency matters, four where throughput matters.
    #[must_use]
    pub fn max_in_flight(&self) -> usize {
        if self.batch > 1 { 4 } else { 1 }
    }

    /// The priority as a value of `certimix.v1.Priority`.
    #[must_use]
    pub fn wire_priority(&self) -> i32 {
        let priority = match self.priority {
            None => proto::Priority::Unspecified,
            Some(PriorityArg::Interactive) => proto::Priority::Interactive,
            Some(PriorityArg::Bulk) => proto::Priority::Bulk,
        };
        priority.into()
    }
}
