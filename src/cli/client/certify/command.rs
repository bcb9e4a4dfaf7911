//! The unary form of `certimix certify`.

use super::args::CertifyArgs;
use super::stream;
use crate::cli::client::connection::ServerConnection;
use crate::cli::client::requests::{InferenceResponse, RequestSender};

/// Sends each file as a `Certify` request, or over a `CertifyStream`.
///
/// # Errors
/// When a file does not fit the model, or the server is unreachable or rejects a request.
pub async fn run(args: CertifyArgs) -> anyhow::Result<()> {
    let session = RequestSender::open(&args.inference).await?;
    if args.stream {
        return stream::run(&args, session).await;
    }
    let send = |connection: ServerConnection, inputs| {
        let request = connection.request(args.request(inputs));
        async move {
            let response = connection.client.clone().certify(request).await?;
            Ok(InferenceResponse::from(response.into_inner()))
        }
    };
    session.run_unary(&args.inference, send).await
}
