//! The types of the values of an ONNX input or output, and their conversion from and to float32.
//!
//! A row is float32 everywhere in the server. Here it becomes what the model takes, and what the
//! model returns becomes float32. Every conversion is a function of one value, so a model with its
//! conversions is a function of one row if the model is.

use half::f16;
use ort::session::SessionInputValue;
use ort::value::{DynValue, TensorElementType, TensorRef};

/// The type of the values of an ONNX input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// IEEE binary16.
    Float16,
    /// IEEE binary32.
    Float32,
    /// IEEE binary64.
    Float64,
    /// Bytes.
    UInt8,
    /// 64-bit integers.
    Int64,
}

impl ElementType {
    /// Every type.
    pub const ALL: [Self; 5] = [Self::Float16, Self::Float32, Self::Float64, Self::UInt8, Self::Int64];

    /// The name in NumPy and in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Float16 => "float16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::UInt8 => "uint8",
            Self::Int64 => "int64",
        }
    }

    /// The type with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|element| element.name() == name)
    }

    /// The type as ONNX Runtime names it; `None` for a type that the server does not convert.
    pub(super) fn of_runtime(element: TensorElementType) -> Option<Self> {
        match element {
            TensorElementType::Float16 => Some(Self::Float16),
            TensorElementType::Float32 => Some(Self::Float32),
            TensorElementType::Float64 => Some(Self::Float64),
            TensorElementType::Uint8 => Some(Self::UInt8),
            TensorElementType::Int64 => Some(Self::Int64),
            _ => None,
        }
    }

    /// Whether every float32 is a value of this type.
    #[must_use]
    pub fn holds_every_float32(self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }

    /// Whether every value of this type is a float32.
    #[must_use]
    pub fn fits_float32(self) -> bool {
        matches!(self, Self::Float16 | Self::Float32 | Self::UInt8)
    }

    /// Whether the values of this type can be logits or probabilities.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::Float32 | Self::Float64)
    }
}

/// The values of an ONNX input in the type that the model takes. The buffer is used again by later
/// runs.
#[derive(Debug)]
pub(super) enum InputValues {
    Float16(Vec<f16>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    UInt8(Vec<u8>),
    Int64(Vec<i64>),
}

impl InputValues {
    /// An empty buffer.
    pub(super) fn new(element: ElementType) -> Self {
        match element {
            ElementType::Float16 => Self::Float16(Vec::new()),
            ElementType::Float32 => Self::Float32(Vec::new()),
            ElementType::Float64 => Self::Float64(Vec::new()),
            ElementType::UInt8 => Self::UInt8(Vec::new()),
            ElementType::Int64 => Self::Int64(Vec::new()),
        }
    }

    /// Replaces the contents by `values`. Integers are rounded to the nearest one, ties to even, and
    /// end at the smallest and the largest of their type; NaN becomes 0.
    pub(super) fn set(&mut self, values: impl Iterator<Item = f32>) {
        fn replace<T>(buffer: &mut Vec<T>, values: impl Iterator<Item = T>) {
            buffer.clear();
            buffer.extend(values);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the conversion saturates, as documented"
        )]
        match self {
            Self::Float16(buffer) => replace(buffer, values.map(f16::from_f32)),
            Self::Float32(buffer) => replace(buffer, values),
            Self::Float64(buffer) => replace(buffer, values.map(f64::from)),
            Self::UInt8(buffer) => replace(buffer, values.map(|value| value.round_ties_even() as u8)),
            Self::Int64(buffer) => replace(buffer, values.map(|value| value.round_ties_even() as i64)),
        }
    }

    /// A view of the values as a tensor of `shape`.
    ///
    /// # Errors
    /// If the shape has another number of values.
    pub(super) fn tensor(&self, shape: Vec<usize>) -> ort::Result<SessionInputValue<'_>> {
        Ok(match self {
            Self::Float16(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
            Self::Float32(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
            Self::Float64(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
            Self::UInt8(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
            Self::Int64(values) => TensorRef::from_array_view((shape, values.as_slice()))?.into(),
        })
    }
}

/// Appends the values of an output to `result` as float32, and returns the shape of the output. A
/// float64 is rounded to the nearest float32.
///
/// # Errors
/// If the output is no tensor of floats of these types.
pub(super) fn append_output(output: &DynValue, result: &mut Vec<f32>) -> ort::Result<Vec<i64>> {
    let element = match output.dtype() {
        ort::value::ValueType::Tensor { ty, .. } => ElementType::of_runtime(*ty),
        _ => None,
    };
    Ok(match element {
        Some(ElementType::Float16) => {
            let (shape, values) = output.try_extract_tensor::<f16>()?;
            result.extend(values.iter().copied().map(f32::from));
            shape.to_vec()
        }
        Some(ElementType::Float64) => {
            let (shape, values) = output.try_extract_tensor::<f64>()?;
            #[expect(clippy::cast_possible_truncation, reason = "the nearest float32 is meant")]
            result.extend(values.iter().map(|&value| value as f32));
            shape.to_vec()
        }
        _ => {
            let (shape, values) = output.try_extract_tensor::<f32>()?;
            result.extend_from_slice(values);
            shape.to_vec()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_parsed() {
        for element in ElementType::ALL {
            assert_eq!(ElementType::parse(element.name()), Some(element));
        }
        assert_eq!(ElementType::parse("bfloat16"), None);
    }

    #[test]
    fn integers_are_rounded_and_end_at_the_limits_of_their_type() {
        let mut bytes = InputValues::new(ElementType::UInt8);
        bytes.set([-3.0, 0.5, 1.5, 254.6, 300.0, f32::NAN].into_iter());
        assert!(matches!(&bytes, InputValues::UInt8(values) if *values == [0, 0, 2, 255, 255, 0]));
        let mut integers = InputValues::new(ElementType::Int64);
        integers.set([-2.5, 2.4, f32::INFINITY].into_iter());
        assert!(matches!(&integers, InputValues::Int64(values) if *values == [-2, 2, i64::MAX]));
    }

    #[test]
    fn only_exact_types_are_called_exact() {
        let exact = |value: f32| f16::from_f32(value).to_f32().to_bits() == value.to_bits();
        assert!(!exact(0.1) && !ElementType::Float16.holds_every_float32());
        assert!(ElementType::Float64.holds_every_float32() && !ElementType::Float64.fits_float32());
        assert!(ElementType::Float16.fits_float32() && !ElementType::Int64.fits_float32());
    }
}
