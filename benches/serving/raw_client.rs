//! A client that encodes each request once and decodes no answer.
//!
//! The load generator shares the processors with the server, so it must use as little of them as
//! possible.

use std::net::SocketAddr;
use std::time::Duration;

use prost::bytes::{Buf as _, BufMut as _, Bytes};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// Each caller has its own connection, up to this number.
const MAX_CONNECTIONS: usize = 16;

/// A method, and encoded messages that are sent in turn.
#[derive(Debug, Clone)]
pub struct EncodedCall {
    path: PathAndQuery,
    messages: Vec<Bytes>,
}

impl EncodedCall {
    /// A method of `certimix.v1.MixedClassifier`.
    pub fn new(method: &str, messages: &[impl prost::Message]) -> anyhow::Result<Self> {
        Self::to(&format!("/certimix.v1.MixedClassifier/{method}"), messages)
    }

    /// The method of any service at `path`, such as "/package.Service/Method".
    pub fn to(path: &str, messages: &[impl prost::Message]) -> anyhow::Result<Self> {
        Ok(Self {
            path: path.parse()?,
            messages: messages.iter().map(|message| message.encode_to_vec().into()).collect(),
        })
    }

    /// The length of the first message in bytes.
    pub fn message_bytes(&self) -> usize {
        self.messages.first().map_or(0, Bytes::len)
    }

    /// Sends the message of this turn and returns the bytes of the answer.
    pub async fn send(&self, turn: usize, channel: Channel, deadline: Option<Duration>) -> Result<Bytes, Status> {
        let message = self.messages.get(turn % self.messages.len().max(1));
        let mut request = Request::new(message.cloned().unwrap_or_default());
        if let Some(deadline) = deadline {
            request.set_timeout(deadline);
        }
        let mut client = Grpc::new(channel);
        client.ready().await.map_err(|error| Status::from_error(error.into()))?;
        let response = client.unary(request, self.path.clone(), BytesCodec).await?;
        Ok(response.into_inner())
    }
}

/// Opens the connections of `callers` callers.
pub async fn connect(address: SocketAddr, callers: usize) -> anyhow::Result<Vec<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    let mut channels = Vec::new();
    for _ in 0..callers.clamp(1, MAX_CONNECTIONS) {
        channels.push(endpoint.connect().await?);
    }
    Ok(channels)
}

/// A codec that passes messages on as bytes.
#[derive(Debug, Clone, Copy)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}
