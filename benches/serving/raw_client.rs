//! A lean client: requests are encoded once, answers are not decoded, so that the load costs as little as it can of the
//! processors that it shares with the server.

use std::net::SocketAddr;
use std::time::Duration;

use prost::bytes::{Buf as _, BufMut as _, Bytes};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// One connection a caller, up to this many.
const MOST_CONNECTIONS: usize = 16;

/// A method, and encoded messages that are sent in turn.
#[derive(Debug, Clone)]
pub struct Call {
    path: PathAndQuery,
    messages: Vec<Bytes>,
}

impl Call {
    /// A method of `certimix.v1.MixedClassifier`.
    pub fn new(method: &str, messages: &[impl prost::Message]) -> anyhow::Result<Self> {
        Ok(Self {
            path: format!("/certimix.v1.MixedClassifier/{method}").parse()?,
            messages: messages.iter().map(|message| message.encode_to_vec().into()).collect(),
        })
    }

    /// Bytes of the first message.
    pub fn payload(&self) -> usize {
        self.messages.first().map_or(0, Bytes::len)
    }

    /// Sends the message of this turn and waits for the answer's bytes.
    pub async fn send(&self, turn: usize, channel: Channel, deadline: Option<Duration>) -> Result<Bytes, Status> {
        let message = self.messages.get(turn % self.messages.len().max(1));
        let mut request = Request::new(message.cloned().unwrap_or_default());
        if let Some(deadline) = deadline {
            request.set_timeout(deadline);
        }
        let mut client = Grpc::new(channel);
        client.ready().await.map_err(|error| Status::from_error(error.into()))?;
        let response = client.unary(request, self.path.clone(), Raw).await?;
        Ok(response.into_inner())
    }
}

/// The connections of `callers` callers.
pub async fn connect(address: SocketAddr, callers: usize) -> anyhow::Result<Vec<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    let mut channels = Vec::new();
    for _ in 0..callers.clamp(1, MOST_CONNECTIONS) {
        channels.push(endpoint.connect().await?);
    }
    Ok(channels)
}

/// Messages as the bytes that they are.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
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

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}
