//! The unary form of `certimix certify`.

use std::time::Duration;

use super::args::CertifyArgs;
use super::stream;
use crate::cli::client::requests::{InferenceResponse, RequestSender};
use crate::rpc::proto::Tensor;

/// Sends each input as a `Certify` request, or over a `CertifyStream`.
///
/// # Errors
/// When an input has no result, or the server is unreachable.
pub async fn run(args: CertifyArgs) -> anyhow::Result<()> {
    let sender = RequestSender::open(&args.inference).await?;
    if args.stream {
        return stream::run(&args, sender).await;
    }
    let connection = sender.connection.clone();
    let send = |inputs: Tensor, timeout: Duration| {
        let request = connection.request_within(timeout, args.request(inputs));
        let mut client = connection.client.clone();
        async move {
            let response = client.certify(request).await?;
            Ok(InferenceResponse::from(response.into_inner()))
        }
    };
    sender.run(&args.inference, send).await
}
