//! Client of Certimix, the inference server that certifies its answers: within a stated radius no change of the input changes
//! the class.
//!
//! ```no_run
//! # async fn run(image: &certimix_client::Tensor) -> Result<(), certimix_client::Error> {
//! use certimix_client::{Client, Norm};
//!
//! let client = Client::connect("unix:///run/certimix.sock").await?;
//! let answer = client.predict(image).await?;
//! match answer.class_if_certified(0.1, Norm::L2) {
//!     Some(class) => println!("{} is certified", class.label()),
//!     None => println!("{answer}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - [`Client`] connects and calls; [`PredictStream`] is its loop, [`CertifyStream`] a certificate that grows.
//! - [`Answer`] says what is proven. Only [`Answer::class_if_certified`] and [`Answer::certified_class`] make a
//!   [`CertifiedClass`].
//! - [`Error`] says why a call has no answer, by its [`ErrorKind`].
//! - [`proto`] holds the messages of the wire.
//!
//! Everything runs on tokio. The words are those of the Python package `certimix`.

mod address;
mod answer;
mod builder;
mod certificate;
mod certify_stream;
mod client;
mod connection;
mod error;
mod norm;
mod options;
mod predict_stream;
pub mod proto;
mod report;
mod requirement;
mod retry;
mod tensor;
mod token_file;
mod waiting;

pub use answer::Answer;
pub use builder::{ClientBuilder, DEFAULT_DEADLINE};
pub use certificate::{Certificate, Provenance, Timings};
pub use certify_stream::CertifyStream;
pub use client::Client;
pub use error::{Error, ErrorKind, FieldViolation};
pub use norm::Norm;
pub use options::{CertifyOptions, PredictOptions, Priority};
pub use predict_stream::PredictStream;
pub use proto::{
    AbstentionReason, BoundMethod, CertificateBasis, CertificateMethod, CertificateStatus, ClassSource, StopReason,
};
pub use report::{ServerInfo, ShadowMixture, ShadowReport};
pub use requirement::{CertifiedClass, NotCertified, Requirement};
pub use retry::RetryPolicy;
pub use tensor::Tensor;
pub use tonic::Code;
