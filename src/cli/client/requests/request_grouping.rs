//! Groups inputs into requests within the server's limits.

use std::ops::Range;

use anyhow::bail;

use crate::cli::client::input::ModelInput;
use crate::rpc::proto::DataType;

/// Reserved for all parts of a request other than the values: field tags, the shape, options.
const OVERHEAD_BYTES: u64 = 1024;

/// The limits of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestLimits {
    /// The maximum number of inputs.
    pub inputs: usize,
    /// The maximum size of the whole message, in bytes.
    pub message_bytes: u64,
}

/// Cuts the inputs, in their order, into batches. The inputs of a batch have one type and stay
/// within the limits. Each batch is a range of indices.
pub(super) fn plan_batches(inputs: &[ModelInput], limits: RequestLimits) -> anyhow::Result<Vec<Range<usize>>> {
    let max_data_bytes = limits.message_bytes.saturating_sub(OVERHEAD_BYTES);
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut last: Option<(DataType, u64)> = None;
    for (index, input) in inputs.iter().enumerate() {
        let bytes = input.data.len() as u64;
        if bytes > max_data_bytes {
            bail!(
                "{}: has {bytes} bytes, but the server accepts messages of at most {} bytes",
                input.name,
                limits.message_bytes
            );
        }
        match (batches.last_mut(), last) {
            (Some(batch), Some((dtype, used_bytes)))
                if dtype == input.dtype && batch.len() < limits.inputs && used_bytes + bytes <= max_data_bytes =>
            {
                batch.end = index + 1;
                last = Some((dtype, used_bytes + bytes));
            }
            _ => {
                batches.push(index..index + 1);
                last = Some((input.dtype, bytes));
            }
        }
    }
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(sizes: &[(DataType, usize)]) -> Vec<ModelInput> {
        let input = |&(dtype, bytes): &(DataType, usize)| ModelInput {
            name: "x".into(),
            dtype,
            shape: vec![1],
            data: vec![0; bytes],
            resized: false,
        };
        sizes.iter().map(input).collect()
    }

    fn limits(inputs: usize, message_bytes: u64) -> RequestLimits {
        RequestLimits { inputs, message_bytes }
    }

    #[test]
    fn batches_end_by_count_by_bytes_and_by_type() -> anyhow::Result<()> {
        let same = inputs(&[(DataType::Uint8, 100); 5]);
        assert_eq!(plan_batches(&same, limits(2, 10_000))?, [0..2, 2..4, 4..5]);
        assert_eq!(plan_batches(&same, limits(9, OVERHEAD_BYTES + 300))?, [0..3, 3..5]);
        assert_eq!(plan_batches(&same, limits(0, 10_000))?.len(), 5);
        let mixed = inputs(&[(DataType::Uint8, 1), (DataType::Float32, 4), (DataType::Float32, 4)]);
        assert_eq!(plan_batches(&mixed, limits(9, 10_000))?, [0..1, 1..3]);
        assert!(plan_batches(&[], limits(9, 10_000))?.is_empty());
        Ok(())
    }

    #[test]
    fn one_input_too_large_is_an_error() {
        let large = inputs(&[(DataType::Uint8, 2000)]);
        assert!(plan_batches(&large, limits(1, 2000)).is_err());
    }
}
