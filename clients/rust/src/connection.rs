//! The connection of a client, which its clones and streams share.

use std::sync::Arc;
use std::time::Duration;

use tonic::Request;
use tonic::transport::Channel;

use crate::proto::mixed_classifier_client::MixedClassifierClient;
use crate::token_file::TokenFile;

/// The longest answer. It has a few dozen bytes for each class and input.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// A channel, which connects again whenever the connection is lost, and the token of its calls.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    stub: MixedClassifierClient<Channel>,
    token_file: Option<Arc<TokenFile>>,
}

impl Connection {
    pub(crate) fn new(channel: Channel, token_file: Option<TokenFile>) -> Self {
        Self {
            stub: MixedClassifierClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES),
            token_file: token_file.map(Arc::new),
        }
    }

    /// The generated client. A clone is cheap.
    pub(crate) fn stub(&self) -> MixedClassifierClient<Channel> {
        self.stub.clone()
    }

    /// A request with the token, which the server ends after `timeout`.
    pub(crate) async fn request<T>(&self, message: T, timeout: Duration) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(timeout);
        if let Some(file) = &self.token_file {
            request
                .metadata_mut()
                .insert("authorization", file.authorization().await);
        }
        request
    }
}
