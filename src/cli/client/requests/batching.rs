//! Which inputs travel in one request.

use std::ops::Range;

use anyhow::bail;

use crate::cli::client::input::model_input::Input;
use crate::rpc::proto::DataType;

/// Room for everything in a request but the values: field tags, a shape, options.
const OVERHEAD_BYTES: u64 = 1024;

/// What one request may hold at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Inputs.
    pub inputs: usize,
    /// Bytes of the whole message.
    pub message_bytes: u64,
}

/// Cuts the inputs, in their order, into requests: each of one type and within the limits.
pub(crate) fn plan(inputs: &[Input], limits: Limits) -> anyhow::Result<Vec<Range<usize>>> {
    let room = limits.message_bytes.saturating_sub(OVERHEAD_BYTES);
    let mut plan: Vec<Range<usize>> = Vec::new();
    let mut last: Option<(DataType, u64)> = None;
    for (index, input) in inputs.iter().enumerate() {
        let bytes = input.data.len() as u64;
        if bytes > room {
            bail!(
                "{}: {bytes} bytes, but the server takes messages of {} bytes",
                input.name,
                limits.message_bytes
            );
        }
        match (plan.last_mut(), last) {
            (Some(range), Some((dtype, used)))
                if dtype == input.dtype && range.len() < limits.inputs && used + bytes <= room =>
            {
                range.end = index + 1;
                last = Some((dtype, used + bytes));
            }
            _ => {
                plan.push(index..index + 1);
                last = Some((input.dtype, bytes));
            }
        }
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(sizes: &[(DataType, usize)]) -> Vec<Input> {
        let input = |&(dtype, bytes): &(DataType, usize)| Input {
            name: "x".into(),
            dtype,
            shape: vec![1],
            data: vec![0; bytes],
            resized: false,
        };
        sizes.iter().map(input).collect()
    }

    #[test]
    fn by_number_by_bytes_and_by_type() -> anyhow::Result<()> {
        let same = inputs(&[(DataType::Uint8, 100); 5]);
        assert_eq!(
            plan(
                &same,
                Limits {
                    inputs: 2,
                    message_bytes: 10_000
                }
            )?,
            [0..2, 2..4, 4..5]
        );
        assert_eq!(
            plan(
                &same,
                Limits {
                    inputs: 9,
                    message_bytes: OVERHEAD_BYTES + 300
                }
            )?,
            [0..3, 3..5]
        );
        assert_eq!(
            plan(
                &same,
                Limits {
                    inputs: 0,
                    message_bytes: 10_000
                }
            )?
            .len(),
            5
        );
        let mixed = inputs(&[(DataType::Uint8, 1), (DataType::Float32, 4), (DataType::Float32, 4)]);
        assert_eq!(
            plan(
                &mixed,
                Limits {
                    inputs: 9,
                    message_bytes: 10_000
                }
            )?,
            [0..1, 1..3]
        );
        assert!(
            plan(
                &[],
                Limits {
                    inputs: 9,
                    message_bytes: 10_000
                }
            )?
            .is_empty()
        );
        Ok(())
    }

    #[test]
    fn one_input_too_large_is_an_error() {
        let large = inputs(&[(DataType::Uint8, 2000)]);
        assert!(
            plan(
                &large,
                Limits {
                    inputs: 1,
                    message_bytes: 2000
                }
            )
            .is_err()
        );
    }
}
