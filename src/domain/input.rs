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

    /// The float32 values that an input may have.
    #[must_use]
    pub fn float32_range(&self) -> Float32Range {
        Float32Range::new(self.low, self.high)
    }

    /// Whether a byte u may stand for the value u / 255. This needs the range [0, 1]. It also needs
    /// a grid, if there is one, that contains all byte values: a coarser grid could move a
    /// neighbouring byte by more than a certificate allows.
    #[must_use]
    pub fn accepts_uint8(&self) -> bool {
        self.low == 0.0 && self.high == 1.0 && self.levels.is_none_or(|levels| levels % 255 == 0)
    }
}

/// The float32 values of a range whose ends are float64.
///
/// A caller that computes the end of a range in float32 gets the float32 that is nearest to it, which
/// may lie outside the range by half a unit in its last place. Such a value is accepted. It stands for
/// the last float32 inside: the bound on the rounding error of a model holds for inputs in its range,
/// and a move of each value to the nearest value of the range brings no two inputs farther apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Float32Range {
    /// The float32 values that are nearest to the ends.
    accepted: [f32; 2],
    /// The first and the last float32 value inside.
    inside: [f32; 2],
}

impl Float32Range {
    /// The values of the range from `low` to `high`, both finite in float32.
    #[must_use]
    pub fn new(low: f64, high: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the nearest float32 is meant")]
        let [first, last] = [low, high].map(|end| end as f32);
        Self {
            accepted: [first, last],
            inside: [
                if f64::from(first) < low { first.next_up() } else { first },
                if f64::from(last) > high { last.next_down() } else { last },
            ],
        }
    }

    /// Whether the range contains no float32 value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let [first, last] = self.inside;
        first > last
    }

    /// Whether an input may have `value`. NaN and infinities are never accepted.
    #[must_use]
    pub fn accepts(&self, value: f32) -> bool {
        let [first, last] = self.accepted;
        (first..=last).contains(&value) && value.is_finite()
    }

    /// Whether `value` lies in the range itself, and not only beside its end.
    #[must_use]
    pub fn contains(&self, value: f32) -> bool {
        let [first, last] = self.inside;
        (first..=last).contains(&value)
    }

    /// The value of the range that is nearest to `value`, which is accepted.
    #[must_use]
    pub fn nearest_inside(&self, value: f32) -> f32 {
        let [first, last] = self.inside;
        if value < first {
            first
        } else if value > last {
            last
        } else {
            value
        }
    }

    /// The float32 values that are nearest to the ends of the range.
    #[must_use]
    pub fn accepted_ends(&self) -> [f32; 2] {
        self.accepted
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

    /// The values as they are encoded, row-major.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
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
    use proptest::prelude::*;

    use super::*;

    /// The normalisation of ImageNet: the float32 of a black pixel lies below the float64 of it.
    #[test]
    fn the_float32_of_an_end_is_accepted() {
        for (mean, deviation) in [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)] {
            let (low, high) = (-mean / deviation, (1.0 - mean) / deviation);
            let range = Float32Range::new(low, high);
            for end in [low, high] {
                #[expect(clippy::cast_possible_truncation, reason = "the caller's precision")]
                let value = end as f32;
                assert!(range.accepts(value), "{value}");
                assert!((low..=high).contains(&f64::from(range.nearest_inside(value))));
            }
        }
        let range = Float32Range::new(0.0, 0.1);
        assert!(range.accepts(0.1) && !range.contains(0.1));
        assert!(!range.accepts(0.1_f32.next_up()) && !range.accepts((-0.0_f32).next_down()));
        assert!(range.accepts(-0.0) && range.contains(-0.0));
        for never in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(!Float32Range::new(-1e30, 1e30).accepts(never));
        }
        assert!(Float32Range::new(0.1, 0.1 + 1e-12).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        /// Every accepted value is moved into the range, by less than the distance of two float32 values,
        /// and no two accepted values are moved apart.
        #[test]
        fn accepted_values_move_into_the_range_and_not_apart(
            low in prop_oneof![-2.0..2.0f64, -1e30..1e30f64, Just(0.0), Just(-1.0)],
            width in prop_oneof![1e-6..4.0f64, 1e20..1e30f64, Just(1.0)],
            steps in prop::collection::vec((any::<bool>(), -3..=3i32), 2),
        ) {
            // Wide enough to hold a float32.
            let high = low + width.max(low.abs() * 1e-6);
            let range = Float32Range::new(low, high);
            prop_assume!(!range.is_empty());
            // Values around both ends.
            let values: Vec<f32> = steps.into_iter().map(|(is_high, steps)| {
                #[expect(clippy::cast_possible_truncation, reason = "the nearest float32")]
                let end = if is_high { high as f32 } else { low as f32 };
                (0..steps.abs()).fold(end, |value, _| if steps < 0 { value.next_down() } else { value.next_up() })
            }).collect();
            #[expect(clippy::cast_possible_truncation, reason = "the nearest float32")]
            let ends = [low as f32, high as f32];
            for &value in &values {
                prop_assert_eq!(range.accepts(value), ends[0] <= value && value <= ends[1]);
            }
            let accepted: Vec<f32> = values.into_iter().filter(|&value| range.accepts(value)).collect();
            let moved: Vec<f32> = accepted.iter().map(|&value| range.nearest_inside(value)).collect();
            for (&value, &moved) in accepted.iter().zip(&moved) {
                prop_assert!((low..=high).contains(&f64::from(moved)), "{value} moved to {moved}");
                prop_assert!(moved == value || !(low..=high).contains(&f64::from(value)));
                prop_assert!(moved == value || moved == value.next_up() || moved == value.next_down());
            }
            if let ([a, b], [c, d]) = (accepted.as_slice(), moved.as_slice()) {
                let distance = |a: f32, b: f32| (f64::from(a) - f64::from(b)).abs();
                prop_assert!(distance(*c, *d) <= distance(*a, *b));
            }
        }
    }

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
