//! `certimix predict`.

use crate::cli::client::inference_args::CommonArgs;
use crate::cli::client::predict::stream as predict_stream;
use crate::cli::client::requests::inference_session::{Answer, Session};
use crate::cli::output::EXIT_CODES;
use crate::rpc::proto::PredictRequest;

const EXAMPLES: &str = "\
Examples:
  certimix predict models/cifar10/samples/*.png
  certimix predict images.npy --labels labels.csv --batch 64
  certimix predict photo.jpg --resize --address http://10.0.0.7:50051 --deadline 500ms
  certimix predict *.npy --stream --address unix:/run/certimix.sock --deadline 20ms
  certimix predict cat.png --json > cat.json; certimix verify cat.json

The radius is in the units of the float input (for images, pixels in [0, 1]): no change of the input that is smaller, \
in the norm that the line under the table names, can change the predicted class. \
It is never larger than the whole range of inputs.

The column \"certificate\" says what that rests on. \"proven\": a signed record about exactly this model. \"claimed\": the \
word of the model's manifest. \"99.9999 %\": the probability, over the server's own noise, that one certificate is right; \
N inputs at failure probability delta each fail, any one of them, with at most N * delta together.

--json prints one object a line: file, input_sha256 (of the values as sent), input_dtype, input_shape, resized, \
true_label, time_ms, and every field of certimix.v1's Prediction, with its certificate and provenance, under the names \
that the .proto file gives them. Enums are short lower-case words, noise_key is hexadecimal.";

/// Classify files and show how far each answer is proven
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct PredictArgs {
    /// Files, server, output
    #[command(flatten)]
    pub common: CommonArgs,

    /// Send everything over one PredictStream, as a control loop would
    #[arg(long)]
    pub stream: bool,
}

/// Asks the server for a prediction of each file.
///
/// # Errors
/// A file that does not fit the model, or a server that cannot be reached or refuses.
pub async fn run(args: PredictArgs) -> anyhow::Result<()> {
    let session = Session::open(&args.common).await?;
    if args.stream {
        return predict_stream::run(&args.common, session).await;
    }
    let (include_components, priority) = (args.common.components, args.common.priority());
    let send = move |connection: crate::cli::client::connection::server_connection::Connection, inputs| async move {
        let request = connection.request(PredictRequest {
            inputs: Some(inputs),
            include_components,
            priority,
        });
        let answer = connection.client.clone().predict(request).await?.into_inner();
        Ok(Answer {
            predictions: answer.predictions,
            provenance: answer.provenance,
        })
    };
    session.run(&args.common, send).await
}
