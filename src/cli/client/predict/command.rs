//! The arguments of `certimix predict`, and the unary form of the command.

use std::time::Duration;

use super::stream::PredictStreamCaller;
use crate::cli::client::inference_args::{InferenceArgs, TABLE_HELP};
use crate::cli::client::requests::{InferenceResponse, RequestSender};
use crate::rpc::proto::{PredictRequest, Tensor};

const HELP: &str = "\
Examples:
  certimix predict models/cifar10/samples/*.png
  certimix predict images.npy --labels labels.csv --batch 64
  certimix predict photo.jpg --resize --address http://10.0.0.7:50051 \\
    --deadline 500ms
  certimix predict *.npy --stream --address unix:/run/certimix.sock \\
    --deadline 20ms
  certimix predict photos/ --resize --batch 16 --json > photos.json
  curl -s https://example.org/cat.png | certimix predict - --resize
  certimix predict cat.png --json > cat.json; certimix verify cat.json

The radius is in the units of the float input (for images, pixels in [0, 1]). No change of the input that is smaller, in the \
norm that the line under the table names, can change the predicted class. The radius never exceeds the range of inputs.

The column \"certificate\" shows the basis of the radius:
  proven     a signed record about exactly this model
  claimed    the model's manifest alone
  99.9999 %  the probability, over the server's own noise, that one certificate is correct;
             N inputs at failure probability delta: at most N * delta that any of them is false

--json prints one object a line: file, input_sha256 (of the values as sent), input_dtype, input_shape, resized, \
exif_orientation, true_label, true_class_index, time_ms, and every field of certimix.v1's Prediction, with its certificate \
and provenance, under the names of the .proto file. Enums are short lower-case words, noise_key is hexadecimal.";

/// Classify files, and show a certificate for each
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{HELP}\n\n{TABLE_HELP}"))]
pub struct PredictArgs {
    /// Files, server, output
    #[command(flatten)]
    pub inference: InferenceArgs,

    /// Send all inputs over one PredictStream, as a control loop does
    #[arg(long)]
    pub stream: bool,
}

/// Sends each input as a `Predict` request, or all of them over a `PredictStream`.
///
/// # Errors
/// When an input has no result, or the server is unreachable.
pub async fn run(args: PredictArgs) -> anyhow::Result<()> {
    let sender = RequestSender::open(&args.inference).await?;
    let connection = sender.connection.clone();
    let (include_components, priority) = (args.inference.components, args.inference.wire_priority());
    let request = move |inputs| PredictRequest {
        inputs: Some(inputs),
        include_components,
        priority,
    };
    if args.stream {
        let caller = PredictStreamCaller::start(connection);
        let send = |inputs: Tensor, timeout: Duration| caller.call(request(inputs), timeout);
        return sender.run(&args.inference, send).await;
    }
    let send = |inputs: Tensor, timeout: Duration| {
        let request = connection.request_within(timeout, request(inputs));
        let mut client = connection.client.clone();
        async move {
            let response = client.predict(request).await?;
            Ok(InferenceResponse::from(response.into_inner()))
        }
    };
    sender.run(&args.inference, send).await
}
