//! Bounds the memory of everything that is received and not answered, for the whole process.
//!
//! One limit, `server.request_memory_bytes`, covers all connections, services and callers. Half of
//! it is for requests that have not arrived completely ([`half_sent_pool`]), half for those that
//! have ([`held_pool`]). An eighth of both halves is set apart for callers that show no credential
//! where the server asks for one ([`request_memory`]).
//!
//! A [`HalfSentRequest`] holds the bytes of one message while it arrives, and grows with them. A
//! [`HeldMemory`] stands for a complete request until its answer has left: for its message, for
//! what the message becomes when it is decoded ([`decoded_size`]), and for the answer.

mod decoded_size;
mod half_sent_buffer;
mod half_sent_pool;
mod half_sent_request;
mod held_memory;
mod held_pool;
mod request_memory;

pub(in crate::rpc) use decoded_size::{MessageSchemas, RequestSchema};
pub(in crate::rpc) use half_sent_request::HalfSentRequest;
pub(in crate::rpc) use held_memory::{HeldMemory, LastMessageMemory};
pub(in crate::rpc) use request_memory::{MemoryRefusal, Payer};
pub use request_memory::{MemoryUsage, RequestMemory};
