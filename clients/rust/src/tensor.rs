//! Arrays as tensors of the wire.

use bytes::Bytes;

use crate::{Error, proto};

/// Values with a shape, row-major: one input, or a batch of inputs.
///
/// A certificate is about exactly the values that the server received, so there is no constructor that rounds. A clone is
/// cheap.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    dtype: proto::DataType,
    shape: Vec<i64>,
    data: Bytes,
}

impl Tensor {
    /// A tensor of bytes, where byte u means the float u / 255.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the shape has another number of values.
    pub fn uint8(shape: &[usize], values: &[u8]) -> Result<Self, Error> {
        Ok(Self {
            dtype: proto::DataType::Uint8,
            shape: wire_shape(shape, values.len())?,
            data: Bytes::copy_from_slice(values),
        })
    }

    /// A tensor of float32 values in the range of the model.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the shape has another number of values.
    pub fn float32(shape: &[usize], values: &[f32]) -> Result<Self, Error> {
        Ok(Self {
            dtype: proto::DataType::Float32,
            shape: wire_shape(shape, values.len())?,
            data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        })
    }

    /// The message of one input of this shape.
    pub(crate) fn one_input(&self) -> proto::Tensor {
        let shape = std::iter::once(1).chain(self.shape.iter().copied()).collect();
        self.message(shape)
    }

    /// The message of a batch of N inputs, with the shape [N, ...], and N.
    pub(crate) fn batch(&self) -> Result<(proto::Tensor, usize), Error> {
        let inputs = self.shape.first().and_then(|&inputs| usize::try_from(inputs).ok());
        let Some(inputs) = inputs else {
            return Err(Error::invalid(
                "inputs",
                "expected a tensor [N, ...] of N inputs, found a single number",
            ));
        };
        Ok((self.message(self.shape.clone()), inputs))
    }

    fn message(&self, shape: Vec<i64>) -> proto::Tensor {
        proto::Tensor {
            dtype: self.dtype.into(),
            shape,
            data: self.data.clone(),
        }
    }
}

/// The shape of a tensor with this number of values.
fn wire_shape(shape: &[usize], values: usize) -> Result<Vec<i64>, Error> {
    let product = shape
        .iter()
        .try_fold(1_usize, |product, &side| product.checked_mul(side));
    let sides: Option<Vec<i64>> = shape.iter().map(|&side| i64::try_from(side).ok()).collect();
    match sides {
        Some(sides) if product == Some(values) => Ok(sides),
        _ => {
            let description = format!("expected the number of values, which is {values}, found {shape:?}");
            Err(Error::invalid("shape", description))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_little_endian_and_keep_their_shape() {
        let tensor = Tensor::float32(&[2, 1], &[1.0, -2.5]).unwrap();
        let one = tensor.one_input();
        assert_eq!(one.shape, [1, 2, 1]);
        assert_eq!(one.data[..], [0, 0, 128, 63, 0, 0, 32, 192]);
        assert_eq!(one.dtype(), proto::DataType::Float32);
        let (batch, inputs) = tensor.batch().unwrap();
        assert_eq!((batch.shape, inputs), (vec![2, 1], 2));
        let bytes = Tensor::uint8(&[3], &[0, 128, 255]).unwrap().one_input();
        assert_eq!(
            (bytes.shape.as_slice(), &bytes.data[..]),
            (&[1, 3][..], &[0, 128, 255][..])
        );
        assert_eq!(bytes.dtype(), proto::DataType::Uint8);
    }

    #[test]
    fn a_shape_of_another_number_of_values_is_refused() {
        for shape in [&[3][..], &[2, 2], &[], &[0], &[usize::MAX, 2, usize::MAX]] {
            let error = Tensor::uint8(shape, &[1, 2]).unwrap_err();
            assert_eq!(error.violations()[0].field, "shape");
        }
        let number = Tensor::float32(&[], &[1.0]).unwrap();
        assert_eq!(number.one_input().shape, [1]);
        assert_eq!(number.batch().unwrap_err().violations()[0].field, "inputs");
    }
}
