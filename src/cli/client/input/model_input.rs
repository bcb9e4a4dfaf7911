//! One input of the served model, and what the model accepts.

use anyhow::bail;
use sha2::{Digest as _, Sha256};

use super::conversions::Conversions;
use crate::domain::hex;
use crate::evaluation::AcceptedImage;
use crate::rpc::proto::{DataType, InputInfo};

/// The inputs that the model accepts.
#[derive(Debug, Clone, PartialEq)]
pub struct AcceptedInput {
    /// The shape of one input, without N.
    pub shape: Vec<usize>,
    /// Whether the model accepts bytes u, which stand for u / 255.
    pub accepts_uint8: bool,
    /// The smallest value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
}

impl AcceptedInput {
    /// The input of a model that accepts bytes, or floats in [0, 1], in this shape.
    #[cfg(test)]
    pub(super) fn of_unit_range(shape: &[usize]) -> Self {
        Self {
            shape: shape.to_vec(),
            accepts_uint8: true,
            low: 0.0,
            high: 1.0,
        }
    }

    /// The images that the model accepts.
    pub(super) fn image(&self) -> AcceptedImage<'_> {
        AcceptedImage {
            shape: &self.shape,
            accepts_uint8: self.accepts_uint8,
            low: self.low,
            high: self.high,
        }
    }

    /// The specification in the server's `GetModelInfoResponse`.
    ///
    /// # Errors
    /// When a dimension is not positive. No correct server sends this.
    pub fn from_info(info: &InputInfo) -> anyhow::Result<Self> {
        let shape: Vec<usize> = info
            .shape
            .iter()
            .filter_map(|&side| usize::try_from(side).ok())
            .collect();
        if shape.len() != info.shape.len() || shape.contains(&0) {
            bail!(
                "the server's input shape is {:?}, expected positive numbers",
                info.shape
            );
        }
        Ok(Self {
            shape,
            accepts_uint8: info.accepts_uint8,
            low: info.low,
            high: info.high,
        })
    }
}

/// One input of the model, in the form in which it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInput {
    /// The path of the file, or "stdin". For input i of a batch, followed by `[i]`.
    pub name: String,
    /// The type of the values.
    pub dtype: DataType,
    /// The shape of one input, without N.
    pub shape: Vec<i64>,
    /// The values, row-major, little-endian.
    pub data: Vec<u8>,
    /// The changes that the client made to the image.
    pub conversions: Conversions,
}

impl ModelInput {
    /// SHA-256 of the values as sent, hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(&self.data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_values() {
        let input = ModelInput {
            name: "x".into(),
            dtype: DataType::Uint8,
            shape: vec![0],
            data: vec![],
            conversions: Conversions::default(),
        };
        assert_eq!(
            input.sha256(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn an_impossible_input_shape_is_rejected() {
        let info = InputInfo {
            shape: vec![3, -1],
            ..InputInfo::default()
        };
        assert!(AcceptedInput::from_info(&info).is_err());
    }
}
