//! One model input, and the shape and range that a model expects.

use bytes::Bytes;

/// The input that both models of a pair expect.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSpec {
    /// The name of the ONNX input.
    pub name: String,
    /// Shape of one input without the batch axis; every entry is at least 1.
    pub shape: Vec<usize>,
    /// The lowest value, in the units of the float input.
    pub low: f64,
    /// The highest value; above `low`.
    pub high: f64,
    /// Steps of the grid from `low` to `high` for a smoothed model; `None` if any value is allowed.
    pub levels: Option<u32>,
}

impl InputSpec {
    /// The number of values in one input.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether a byte u may stand for the value u / 255. This needs the range [0, 1]. It also needs
    /// a grid, if there is one, that contains all byte values: a coarser grid could move a
    /// neighbouring byte by more than a certificate allows.
    #[must_use]
    pub fn accepts_uint8(&self) -> bool {
        self.low == 0.0 && self.high == 1.0 && self.levels.is_none_or(|levels| levels % 255 == 0)
    }
}

/// The encoding of an input's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueEncoding {
    /// One byte per value: u stands for u / 255.
    UInt8,
    /// Four bytes per value, little-endian.
    Float32,
}

impl ValueEncoding {
    /// Bytes per value.
    #[must_use]
    pub fn width(self) -> usize {
        match self {
            Self::UInt8 => 1,
            Self::Float32 => 4,
        }
    }
}

/// One validated input: finite values in the model's range, as many as its shape holds.
///
/// The input shares the caller's bytes with the message that carried them. They become floats when
/// a model reads them.
#[derive(Debug, Clone)]
pub struct Input {
    bytes: Bytes,
    encoding: ValueEncoding,
}

impl Input {
    /// Row-major values in the units of the float input. An incomplete value at the end is ignored.
    #[must_use]
    pub fn new(bytes: Bytes, encoding: ValueEncoding) -> Self {
        Self { bytes, encoding }
    }

    /// An input of floats.
    #[must_use]
    pub fn from_floats(values: &[f32]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::new(bytes.into(), ValueEncoding::Float32)
    }

    /// The encoding of its values.
    #[must_use]
    pub fn encoding(&self) -> ValueEncoding {
        self.encoding
    }

    /// The number of values.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.bytes.len() / self.encoding.width()
    }

    /// Writes the values into `out`, which must have the same length. This is the one place where u
    /// becomes u / 255.
    ///
    /// # Errors
    /// A message if the lengths differ.
    pub fn write(&self, out: &mut [f32]) -> Result<(), String> {
        if out.len() != self.dimension() {
            let (found, wanted) = (self.dimension(), out.len());
            return Err(format!("the input has {found} values, the model takes {wanted}"));
        }
        match self.encoding {
            ValueEncoding::UInt8 => {
                for (value, &byte) in out.iter_mut().zip(&self.bytes) {
                    *value = f32::from(byte) / 255.0;
                }
            }
            ValueEncoding::Float32 => {
                for (value, &word) in out.iter_mut().zip(self.bytes.as_chunks::<4>().0) {
                    *value = f32::from_le_bytes(word);
                }
            }
        }
        Ok(())
    }

    /// The values as floats.
    #[must_use]
    pub fn values(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.dimension()];
        // The lengths are equal by construction.
        self.write(&mut values).unwrap_or_default();
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uint8_is_accepted_if_all_bytes_lie_on_the_grid() {
        let spec = |high, levels| InputSpec {
            name: "input".to_owned(),
            shape: vec![4],
            low: 0.0,
            high,
            levels,
        };
        for levels in [None, Some(255), Some(510), Some(65_535)] {
            assert!(spec(1.0, levels).accepts_uint8(), "{levels:?}");
        }
        for levels in [Some(2), Some(254), Some(256), Some(65_536)] {
            assert!(!spec(1.0, levels).accepts_uint8(), "{levels:?}");
        }
        assert!(!spec(2.0, None).accepts_uint8());
    }

    #[test]
    fn values_round_trip_through_their_encoding() {
        assert_eq!(
            Input::new(vec![0, 51, 255].into(), ValueEncoding::UInt8).values(),
            [0.0, 0.2, 1.0]
        );
        let floats = [0.0, -1.5, f32::MIN_POSITIVE];
        assert_eq!(Input::from_floats(&floats).values(), floats);
        assert!(Input::from_floats(&floats).write(&mut [0.0; 2]).is_err());
    }
}
