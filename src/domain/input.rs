//! One input of a model, and what a model expects of it.

use std::sync::Arc;

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

/// The values of one input as the caller sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Bytes, already divided by 255.
    UInt8,
    /// Floats.
    Float32,
}

/// One validated input: as many values as the model's shape holds, finite and in its range.
#[derive(Debug, Clone)]
pub struct Input {
    /// Row-major, in the units of the float input.
    pub values: Arc<[f32]>,
    /// What the caller sent.
    pub sent_as: Values,
}

impl Input {
    /// From bytes: the one place where u becomes u / 255.
    #[must_use]
    pub fn from_uint8(bytes: &[u8]) -> Self {
        let values = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        Self {
            values,
            sent_as: Values::UInt8,
        }
    }

    /// From floats.
    #[must_use]
    pub fn from_float32(values: Vec<f32>) -> Self {
        Self {
            values: values.into(),
            sent_as: Values::Float32,
        }
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
}
