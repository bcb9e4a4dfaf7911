//! The inputs of requests and bare runs.

use std::path::Path;

use certimix::rpc::proto::{DataType, Tensor};

/// The number of different state vectors of the tiny models.
const STATE_VECTORS: u8 = 64;

/// The state vectors for the tiny models: 8 values in [-1, 1] each.
pub fn state_vectors() -> Vec<Vec<f32>> {
    let value = |vector: u8, index: u8| f32::from(vector * 3 + index * 5) / 128.0 - 0.9;
    (0..STATE_VECTORS)
        .map(|vector| (0..8).map(|index| value(vector, index)).collect())
        .collect()
}

/// Reads images of 32 x 32 pixels, channels first. The file holds one image in each row of pixels.
pub fn read_images(path: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let sheet = image::open(path)?.into_rgb8();
    let bytes = sheet.as_raw();
    let row = sheet.width() as usize * 3;
    let channel = |image: &[u8], channel: usize| image.iter().skip(channel).step_by(3).copied().collect::<Vec<u8>>();
    Ok(bytes
        .chunks_exact(row)
        .map(|image| (0..3).flat_map(|number| channel(image, number)).collect())
        .collect())
}

/// The float values of an image, in [0, 1].
pub fn image_as_floats(image: &[u8]) -> Vec<f32> {
    image.iter().map(|&level| f32::from(level) / 255.0).collect()
}

pub fn state_tensor(state: &[f32]) -> Tensor {
    let bytes = state.iter().copied().flat_map(f32::to_le_bytes).collect();
    tensor(DataType::Float32, &[1, 8], bytes)
}

pub fn image_tensor(image: &[u8]) -> Tensor {
    tensor(DataType::Uint8, &[1, 3, 32, 32], image.to_vec())
}

fn tensor(dtype: DataType, shape: &[i64], data: Vec<u8>) -> Tensor {
    Tensor {
        dtype: dtype.into(),
        shape: shape.to_vec(),
        data: data.into(),
    }
}
