//! The fuzz target of the input files.

use super::files::parse;
use super::model_input::AcceptedInput;
use crate::rpc::proto::DataType;

/// The shapes of the models that read the files.
const SHAPES: [&[usize]; 4] = [&[4], &[3, 2, 2], &[1, 4, 4], &[2, 3]];

/// Reads the bytes after the first as the content of a file. The first byte selects the model, and
/// whether an image may be resized.
///
/// Every input that is read has as many values as the model's shape, and the inputs together are no
/// larger than an image, or than the array that holds them.
pub(crate) fn client_inputs(data: &[u8]) {
    let Some((&options, content)) = data.split_first() else {
        return;
    };
    let shape = SHAPES[usize::from(options) % SHAPES.len()];
    let spec = AcceptedInput {
        shape: shape.to_vec(),
        accepts_uint8: options & 0x10 == 0,
        low: 0.0,
        high: 1.0,
    };
    let Ok(inputs) = parse(content.to_vec(), "file", &spec, options & 0x20 != 0) else {
        return;
    };
    let values: usize = shape.iter().product();
    for input in &inputs {
        let width = if input.dtype == DataType::Uint8 { 1 } else { 4 };
        assert_eq!(input.data.len(), values * width, "{input:?}");
    }
    let bytes: usize = inputs.iter().map(|input| input.data.len()).sum();
    assert!(
        inputs.len() == 1 || bytes <= content.len(),
        "more values than the file holds"
    );
}
