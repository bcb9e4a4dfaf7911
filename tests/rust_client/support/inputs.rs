//! Inputs of the fixtures, and the patience of the tests.

use std::time::Duration;

use certimix_client::{Client, ClientBuilder, Tensor};

/// The deadline of calls that must be answered. It is long enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

const CLEAR: [f32; 4] = [0.75, -0.75, -0.75, 0.0];
const BORDER: [f32; 4] = [0.1; 4];

/// An input that the pair `linear_g`, `linear_h` certifies.
pub fn clear_input() -> Tensor {
    Tensor::float32(&[4], &CLEAR).unwrap()
}

/// A certified input, and one on the border between all classes, where nothing is certified.
pub fn batch() -> Tensor {
    Tensor::float32(&[2, 4], &[CLEAR, BORDER].concat()).unwrap()
}

/// The options of a client that waits as long as a busy machine needs.
pub fn patient(address: &str) -> ClientBuilder {
    Client::builder(address).deadline(PATIENCE)
}
