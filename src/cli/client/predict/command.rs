//! The arguments of `certimix predict`, and the unary form of the command.

use super::stream;
use crate::cli::client::connection::ServerConnection;
use crate::cli::client::inference_args::InferenceArgs;
use crate::cli::client::requests::{InferenceResponse, RequestSender};
use crate::cli::output::EXIT_CODES;
use crate::rpc::proto::PredictRequest;

const HELP: &str = "\
Examples:
  certimix predict models/cifar10/samples/*.png
  certimix predict images.npy --labels labels.csv --batch 64
  certimix predict photo.jpg --resize --address http://10.0.0.7:50051 --deadline 500ms
  certimix predict *.npy --stream --address unix:/run/certimix.sock --deadline 20ms
  certimix predict cat.png --json > cat.json; certimix verify cat.json

The radius is in the units of the float input (for images, pixels in [0, 1]). No change of the input that is smaller, in the \
norm that the line under the table names, can change the predicted class. The radius never exceeds the range of inputs.

The column \"certificate\" shows the basis of the radius:
  proven     a signed record about exactly this model
  claimed    the model's manifest alone
  99.9999 %  the probability, over the server's own noise, that one certificate is correct;
             N inputs at failure probability delta: at most N * delta that any of them is false

--json prints one object a line: file, input_sha256 (of the values as sent), input_dtype, input_shape, resized, true_label, \
time_ms, and every field of certimix.v1's Prediction, with its certificate and provenance, under the names of the .proto \
file. Enums are short lower-case words, noise_key is hexadecimal.";

/// Classify files, and show a certificate for each
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{HELP}\n\n{EXIT_CODES}"))]
pub struct PredictArgs {
    /// Files, server, output
    #[command(flatten)]
    pub inference: InferenceArgs,

    /// Send all inputs over one PredictStream, as a control loop does
    #[arg(long)]
    pub stream: bool,
}

/// Sends each file as a `Predict` request, or all of them over a `PredictStream`.
///
/// # Errors
/// When a file does not fit the model, or the server is unreachable or rejects a request.
pub async fn run(args: PredictArgs) -> anyhow::Result<()> {
    let session = RequestSender::open(&args.inference).await?;
    if args.stream {
        return stream::run(&args.inference, session).await;
    }
    let (include_components, priority) = (args.inference.components, args.inference.wire_priority());
    let send = move |connection: ServerConnection, inputs| async move {
        let request = connection.request(PredictRequest {
            inputs: Some(inputs),
            include_components,
            priority,
        });
        let response = connection.client.clone().predict(request).await?;
        Ok(InferenceResponse::from(response.into_inner()))
    };
    session.run_unary(&args.inference, send).await
}
