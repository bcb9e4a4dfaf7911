//! Inputs as images in the page.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};

use crate::domain::{Input, InputSpec};

/// The largest side of an image in the page, in pixels, so that a page stays small.
const MAX_SIDE: u32 = 256;

/// The input as a PNG in a `data:` URI, from black at the low end of its range to white at the high
/// end. `None` if its shape is not that of an image: channels (1 or 3), height and width, or height,
/// width and channels.
#[must_use]
pub fn png_data_uri(input: &Input, spec: &InputSpec) -> Option<String> {
    let layout = Layout::of(&spec.shape)?;
    let values = input.values();
    if values.len() != spec.dimension() {
        return None;
    }
    let bytes: Vec<u8> = (0..layout.height * layout.width * layout.channels)
        .map(|position| {
            let (pixel, channel) = (position / layout.channels, position % layout.channels);
            let index = if layout.channels_first {
                channel * layout.height * layout.width + pixel
            } else {
                position
            };
            brightness(values.get(index).copied().unwrap_or(0.0), spec)
        })
        .collect();
    let (width, height) = (u32::try_from(layout.width).ok()?, u32::try_from(layout.height).ok()?);
    let mut image = if layout.channels == 1 {
        DynamicImage::from(GrayImage::from_raw(width, height, bytes)?)
    } else {
        DynamicImage::from(RgbImage::from_raw(width, height, bytes)?)
    };
    if width.max(height) > MAX_SIDE {
        image = image.thumbnail(MAX_SIDE, MAX_SIDE);
    }
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).ok()?;
    Some(format!("data:image/png;base64,{}", STANDARD.encode(png.into_inner())))
}

struct Layout {
    channels: usize,
    height: usize,
    width: usize,
    channels_first: bool,
}

impl Layout {
    fn of(shape: &[usize]) -> Option<Self> {
        match *shape {
            [channels @ (1 | 3), height, width] => Some(Self {
                channels,
                height,
                width,
                channels_first: true,
            }),
            [height, width, channels @ (1 | 3)] => Some(Self {
                channels,
                height,
                width,
                channels_first: false,
            }),
            _ => None,
        }
    }
}

/// A value of the range as a level from 0 to 255.
fn brightness(value: f32, spec: &InputSpec) -> u8 {
    let share = (f64::from(value) - spec.low) / (spec.high - spec.low);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 255; a NaN is black"
    )]
    let level = (share.clamp(0.0, 1.0) * 255.0).round() as u8;
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(shape: &[usize]) -> InputSpec {
        InputSpec {
            name: "x".to_owned(),
            shape: shape.to_vec(),
            low: -1.0,
            high: 1.0,
            levels: None,
        }
    }

    fn pixels(uri: &str) -> RgbImage {
        let png = STANDARD
            .decode(uri.strip_prefix("data:image/png;base64,").unwrap())
            .unwrap();
        image::load_from_memory(&png).unwrap().to_rgb8()
    }

    #[test]
    fn both_layouts_show_the_same_pixels() {
        // One red and one grey pixel.
        let first = Input::from_floats(&[1.0, 0.0, -1.0, 0.0, -1.0, 0.0]);
        let last = Input::from_floats(&[1.0, -1.0, -1.0, 0.0, 0.0, 0.0]);
        let first = pixels(&png_data_uri(&first, &spec(&[3, 2, 1])).unwrap());
        let last = pixels(&png_data_uri(&last, &spec(&[2, 1, 3])).unwrap());
        assert_eq!(first.as_raw(), &[255, 0, 0, 128, 128, 128]);
        assert_eq!(first, last);
    }

    #[test]
    fn a_vector_is_no_image() {
        let input = Input::from_floats(&[0.0; 12]);
        assert_eq!(png_data_uri(&input, &spec(&[12])), None);
        assert_eq!(png_data_uri(&input, &spec(&[2, 2, 3, 1])), None);
        assert_eq!(png_data_uri(&input, &spec(&[3, 1, 5])), None);
    }

    #[test]
    fn a_large_image_becomes_small() {
        let input = Input::from_floats(&vec![0.5; 600 * 300]);
        let image = pixels(&png_data_uri(&input, &spec(&[1, 300, 600])).unwrap());
        assert_eq!(image.dimensions(), (256, 128));
    }
}
