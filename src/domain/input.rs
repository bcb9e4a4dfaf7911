//! One input of a model, and what a model expects of it.

use bytes::Bytes;

/// What both models of a pair expect of one input.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSpec {
    /// The name of the ONNX input.
    pub name: String,
    /// Shape of one input, without the batch axis; every entry at least 1.
    pub shape: Vec<usize>,
    /// Lowest value, in the units of the float input.
    pub low: f64,
    /// Highest value; above `low`.
    pub high: f64,
    /// Steps of the grid from `low` to `high`, for a smoothed model; none where any value will do.
    pub levels: Option<u32>,
}

impl InputSpec {
    /// Values in one input.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether bytes stand for values: u for u / 255, which needs the range [0, 1] and a grid, if there is one, that has
    /// all of them. On a coarser grid a neighbouring byte would be moved by more than a certificate could tell.
    #[must_use]
    pub fn accepts_uint8(&self) -> bool {
        self.low == 0.0 && self.high == 1.0 && self.levels.is_none_or(|levels| levels % 255 == 0)
    }
}

/// How the values of an input are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueEncoding {
    /// A byte each: u stands for u / 255.
    UInt8,
    /// Four bytes each, little-endian.
    Float32,
}

impl ValueEncoding {
    /// Bytes of one value.
    #[must_use]
    pub fn width(self) -> usize {
        match self {
            Self::UInt8 => 1,
            Self::Float32 => 4,
        }
    }
}

/// One validated input: as many values as the model's shape holds, finite and in its range.
///
/// It keeps the caller's bytes, shared with the message they came in; they become floats where a model reads them.
#[derive(Debug, Clone)]
pub struct Input {
    bytes: Bytes,
    encoding: ValueEncoding,
}

impl Input {
    /// Row-major values, in the units of the float input. A part of a value at the end is left out.
    #[must_use]
    pub fn new(bytes: Bytes, encoding: ValueEncoding) -> Self {
        Self { bytes, encoding }
    }

    /// From floats.
    #[must_use]
    pub fn from_floats(values: &[f32]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::new(bytes.into(), ValueEncoding::Float32)
    }

    /// How its values are written.
    #[must_use]
    pub fn encoding(&self) -> ValueEncoding {
        self.encoding
    }

    /// Values in it.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.bytes.len() / self.encoding.width()
    }

    /// Writes the values into `out`, which must be as long: the one place where u becomes u / 255.
    ///
    /// # Errors
    /// In words, if it is not as long.
    pub fn write(&self, out: &mut [f32]) -> Result<(), String> {
        if out.len() != self.dimension() {
            let (found, wanted) = (self.dimension(), out.len());
            return Err(format!("an input of {found} values for a model of {wanted}"));
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

    /// The values.
    #[must_use]
    pub fn values(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.dimension()];
        // They are as many as were asked for.
        self.write(&mut values).unwrap_or_default();
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_taken_only_where_all_of_them_lie_on_the_grid() {
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
    fn values_are_read_as_they_were_written() {
        assert_eq!(
            Input::new(vec![0, 51, 255].into(), ValueEncoding::UInt8).values(),
            [0.0, 0.2, 1.0]
        );
        let floats = [0.0, -1.5, f32::MIN_POSITIVE];
        assert_eq!(Input::from_floats(&floats).values(), floats);
        assert!(Input::from_floats(&floats).write(&mut [0.0; 2]).is_err());
    }
}
