//! Reads NumPy arrays.

use anyhow::{Context as _, bail};
use npyz::{DType, NpyFile, Order, TypeChar};

use super::conversions::Conversions;
use super::model_input::{AcceptedInput, ModelInput};
use crate::evaluation::{MAX_NPY_HEADER_BYTES, overflowing_npy_shape};
use crate::rpc::proto::DataType;

/// Reads the content of a `.npy` file: one input of the model's shape, or a batch of them.
///
/// # Errors
/// When the content is damaged or does not fit the model.
pub(super) fn read_npy(content: &[u8], name: &str, spec: &AcceptedInput) -> anyhow::Result<Vec<ModelInput>> {
    check_header(content)?;
    let file = NpyFile::new(content).context("is not a NumPy array")?;
    let dtype = data_type(&file.dtype())?;
    let shape: Vec<usize> = file
        .shape()
        .iter()
        .filter_map(|&side| usize::try_from(side).ok())
        .collect();
    let batch = batch_size(&shape, spec)?;
    let value_bytes = if dtype == DataType::Uint8 { 1 } else { 4 };
    // The content limits the size in the header, before any memory is allocated.
    let needed = shape
        .iter()
        .try_fold(value_bytes, |bytes: usize, &side| bytes.checked_mul(side));
    if shape.len() != file.shape().len() || needed.is_none_or(|needed| needed > content.len()) {
        bail!("is cut short: its header gives the shape {shape:?}");
    }
    let order = file.order();
    let data = if dtype == DataType::Uint8 {
        row_major(file.into_vec::<u8>()?, &shape, order)
    } else {
        let values = row_major(file.into_vec::<f32>()?, &shape, order);
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    };
    let input_shape: Vec<i64> = spec.shape.iter().filter_map(|&side| i64::try_from(side).ok()).collect();
    let input = |name, data: &[u8]| ModelInput {
        name,
        dtype,
        shape: input_shape.clone(),
        data: data.to_vec(),
        conversions: Conversions::default(),
    };
    let Some(batch) = batch else {
        return Ok(vec![input(name.to_owned(), &data)]);
    };
    let input_bytes = (data.len() / batch).max(1);
    Ok(data
        .chunks(input_bytes)
        .enumerate()
        .map(|(index, data)| input(format!("{name}[{index}]"), data))
        .collect())
}

/// Checks the length of the header, for which the reader reserves memory before it reads, and the shape
/// in it, whose sides the reader multiplies.
///
/// Behind the magic of 6 bytes are two bytes of the version, and the length of the header: 2 bytes in
/// version 1, and 4 bytes since version 2.
fn check_header(content: &[u8]) -> anyhow::Result<()> {
    let (length, rest) = match content.get(6..) {
        Some([1, _, low, high, rest @ ..]) => (usize::from(u16::from_le_bytes([*low, *high])), rest),
        Some([_, _, a, b, c, d, rest @ ..]) => (usize::try_from(u32::from_le_bytes([*a, *b, *c, *d]))?, rest),
        _ => return Ok(()),
    };
    if length > MAX_NPY_HEADER_BYTES.min(content.len()) {
        bail!(
            "is not a NumPy array: its header would have {length} bytes, expected at most {MAX_NPY_HEADER_BYTES} within the file"
        );
    }
    let header = String::from_utf8_lossy(rest.get(..length).unwrap_or(rest));
    if let Some(shape) = overflowing_npy_shape(&header) {
        bail!(
            "is cut short: its header gives the shape {}",
            shape.trim_start_matches(['\'', '"', ':', ' ', '(', '['])
        );
    }
    Ok(())
}

/// The array's type as a wire type. Other types are rejected, because a conversion could change the
/// values.
fn data_type(dtype: &DType) -> anyhow::Result<DataType> {
    if let DType::Plain(plain) = dtype {
        match (plain.type_char(), plain.num_bytes()) {
            (TypeChar::Uint, Some(1)) => return Ok(DataType::Uint8),
            (TypeChar::Float, Some(4)) => return Ok(DataType::Float32),
            _ => {}
        }
    }
    bail!(
        "holds {}, expected uint8 or float32: save it with x.astype(np.float32)",
        dtype.descr()
    )
}

/// N for a batch, `None` for a single input.
fn batch_size(shape: &[usize], spec: &AcceptedInput) -> anyhow::Result<Option<usize>> {
    if shape == spec.shape {
        return Ok(None);
    }
    match shape.split_first() {
        Some((0, rest)) if rest == spec.shape => bail!("holds no input: its shape is {shape:?}"),
        Some((&batch, rest)) if rest == spec.shape => Ok(Some(batch)),
        _ => {
            let hint = if is_channels_last(shape, spec) {
                " (channels first: x.transpose(…))"
            } else {
                ""
            };
            bail!(
                "has the shape {shape:?}, expected {:?} or a batch [N, ...] of it{hint}",
                spec.shape
            )
        }
    }
}

fn is_channels_last(shape: &[usize], spec: &AcceptedInput) -> bool {
    let &[channels, height, width] = spec.shape.as_slice() else {
        return false;
    };
    shape.ends_with(&[height, width, channels])
}

/// Returns the values in row-major (C) order.
fn row_major<T: Copy>(values: Vec<T>, shape: &[usize], order: Order) -> Vec<T> {
    if order == Order::C {
        return values;
    }
    // In Fortran order the first index has stride 1, the second has the length of the first side,
    // and so on.
    let mut offsets = vec![0_usize];
    let mut stride = 1;
    for &side in shape {
        offsets = offsets
            .iter()
            .flat_map(|&offset| (0..side).map(move |index| offset + index * stride))
            .collect();
        stride *= side;
    }
    offsets
        .iter()
        .filter_map(|&offset| values.get(offset).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::error_text;

    /// A .npy file of version 1.0.
    fn npy_file(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
        let fortran = if fortran { "True" } else { "False" };
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let length = u16::try_from(header.len()).unwrap_or_default().to_le_bytes();
        [b"\x93NUMPY\x01\x00", length.as_slice(), header.as_bytes(), data].concat()
    }

    fn read(bytes: &[u8], spec: &AcceptedInput) -> anyhow::Result<Vec<ModelInput>> {
        read_npy(bytes, "x.npy", spec)
    }

    fn message(bytes: &[u8], spec: &AcceptedInput) -> String {
        read(bytes, spec).map_or_else(|error| error_text(&error), |inputs| format!("{inputs:?}"))
    }

    #[test]
    fn one_input_and_a_batch() -> anyhow::Result<()> {
        let one = read(
            &npy_file("|u1", false, "(2, 2)", &[1, 2, 3, 4]),
            &AcceptedInput::of_unit_range(&[2, 2]),
        )?;
        assert_eq!(
            (one[0].name.as_str(), one[0].dtype, one[0].data.as_slice()),
            ("x.npy", DataType::Uint8, &[1, 2, 3, 4][..])
        );
        let batch = read(
            &npy_file("|u1", false, "(2, 2)", &[1, 2, 3, 4]),
            &AcceptedInput::of_unit_range(&[2]),
        )?;
        let parts: Vec<_> = batch
            .iter()
            .map(|input| (input.name.as_str(), input.data.as_slice()))
            .collect();
        assert_eq!(parts, [("x.npy[0]", &[1, 2][..]), ("x.npy[1]", &[3, 4][..])]);
        Ok(())
    }

    #[test]
    fn fortran_order_becomes_row_major() -> anyhow::Result<()> {
        // [[1, 2, 3], [4, 5, 6]] stored by columns.
        let inputs = read(
            &npy_file("|u1", true, "(2, 3)", &[1, 4, 2, 5, 3, 6]),
            &AcceptedInput::of_unit_range(&[2, 3]),
        )?;
        assert_eq!(inputs[0].data, [1, 2, 3, 4, 5, 6]);
        Ok(())
    }

    #[test]
    fn floats_become_little_endian() -> anyhow::Result<()> {
        for (descr, bytes) in [("<f4", 1.5_f32.to_le_bytes()), (">f4", 1.5_f32.to_be_bytes())] {
            let inputs = read(
                &npy_file(descr, false, "(1,)", &bytes),
                &AcceptedInput::of_unit_range(&[1]),
            )?;
            assert_eq!(
                (inputs[0].dtype, inputs[0].data.as_slice()),
                (DataType::Float32, &1.5_f32.to_le_bytes()[..])
            );
        }
        Ok(())
    }

    #[test]
    fn other_types_are_rejected_by_name() {
        for (descr, bytes) in [("<f8", 8), ("<i8", 8), ("|b1", 1), ("|i1", 1), ("<f2", 2)] {
            let text = message(
                &npy_file(descr, false, "(1,)", &vec![0; bytes]),
                &AcceptedInput::of_unit_range(&[1]),
            );
            assert!(
                text.contains(descr) && text.contains("expected uint8 or float32"),
                "{text}"
            );
        }
    }

    #[test]
    fn wrong_shapes_are_rejected() {
        let text = message(
            &npy_file("|u1", false, "(4, 5, 3)", &[0; 60]),
            &AcceptedInput::of_unit_range(&[3, 4, 5]),
        );
        assert!(
            text.contains("[4, 5, 3]") && text.contains("[3, 4, 5]") && text.contains("channels first"),
            "{text}"
        );
        assert!(
            message(
                &npy_file("|u1", false, "(0, 2)", &[]),
                &AcceptedInput::of_unit_range(&[2])
            )
            .contains("no input")
        );
        assert!(
            message(&npy_file("|u1", false, "()", &[1]), &AcceptedInput::of_unit_range(&[2])).contains("expected [2]")
        );
    }

    /// Regression: the reader reserved 4 GiB for a file of 16 bytes.
    #[test]
    fn a_header_length_beyond_the_file_reserves_no_memory() {
        for header in [
            &b"\x93NUMPY\x02\x00\xff\xff\xff\xff    "[..],
            b"\x93NUMPY\x01\x00\xff\xff",
            b"\x93NUMPY\x03\x00\x00\x00\x00\x80",
        ] {
            let text = message(header, &AcceptedInput::of_unit_range(&[2]));
            assert!(text.contains("its header would have"), "{text}");
        }
    }

    /// The number of values does not fit 64 bits.
    #[test]
    fn a_shape_beyond_every_file_is_rejected() {
        for side in [1_u64 << 62, 1 << 63, u64::MAX] {
            let text = message(
                &npy_file("<f4", false, &format!("({side}, 4)"), &[0; 16]),
                &AcceptedInput::of_unit_range(&[4]),
            );
            assert!(
                text.contains("cut short") || text.contains("not a NumPy array"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_header_larger_than_the_file_is_rejected() {
        let text = message(
            &npy_file("|u1", false, "(1099511627776, 2)", &[1, 2]),
            &AcceptedInput::of_unit_range(&[2]),
        );
        assert!(text.contains("cut short"), "{text}");
        // The product of the sides is 0 modulo 2^64.
        let text = message(
            &npy_file("<f4", false, "(4611686018427387904, 4)", &[0; 16]),
            &AcceptedInput::of_unit_range(&[4]),
        );
        assert!(text.contains("cut short"), "{text}");
        // Version 2 has a length of four bytes.
        let text = message(
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}",
            &AcceptedInput::of_unit_range(&[4]),
        );
        assert!(text.contains("4294967295 bytes"), "{text}");
        assert!(message(b"not an array", &AcceptedInput::of_unit_range(&[2])).contains("not a NumPy array"));
    }
}
