//! Reads images as channels-first bytes.
//!
//! Every value stays as it is in the file. Therefore images with 16 bits a channel, and colour
//! images for a model of grey images, are rejected. A grey image gives each of three channels the
//! same value. An opaque alpha channel is dropped.

use std::path::Path;

use anyhow::{Context as _, bail};
use image::imageops::FilterType;
use image::{DynamicImage, GenericImageView as _, ImageReader};

use super::model_input::{AcceptedInput, ModelInput};
use crate::rpc::proto::DataType;

/// Reads a PNG or JPEG file as one uint8 input.
pub(super) fn read_image(path: &Path, spec: &AcceptedInput, resize: bool) -> anyhow::Result<ModelInput> {
    let name = path.display().to_string();
    let reader = ImageReader::open(path).with_context(|| name.clone())?;
    // The content decides the format: a JPEG named .png is read.
    let image = reader
        .with_guessed_format()
        .with_context(|| name.clone())?
        .decode()
        .with_context(|| name.clone())?;
    let (data, resized) = convert(image, spec, resize).with_context(|| name.clone())?;
    let shape = spec.shape.iter().filter_map(|&side| i64::try_from(side).ok()).collect();
    Ok(ModelInput {
        name,
        dtype: DataType::Uint8,
        shape,
        data,
        resized,
    })
}

/// Converts an image to channels-first bytes of the model's size. Also returns whether the image
/// was resized.
fn convert(image: DynamicImage, spec: &AcceptedInput, resize: bool) -> anyhow::Result<(Vec<u8>, bool)> {
    let &[channels @ (1 | 3), height, width] = spec.shape.as_slice() else {
        bail!(
            "is an image, but the model's inputs have the shape {:?}: use a .npy file",
            spec.shape
        );
    };
    if !spec.accepts_uint8 {
        bail!(
            "is an image, but the model accepts only float32 in [{}, {}]: use a .npy file",
            spec.low,
            spec.high
        );
    }
    // A certificate is about the values that are sent. The caller makes every conversion that would
    // change them.
    if bits_per_channel(&image) != 8 {
        bail!(
            "has {} bits a channel, expected 8: convert it, or use a .npy file of float32",
            bits_per_channel(&image)
        );
    }
    if channels == 1 && !is_grey(&image) {
        bail!("has colours, but the model accepts grey images only: convert it to grey first");
    }
    if has_transparency(&image) {
        bail!("has transparent pixels: flatten it onto a background first");
    }
    let (image, resized) = fit_to_size(image, width, height, resize)?;
    if channels == 1 {
        return Ok((image.into_luma8().into_raw(), resized));
    }
    let pixels = image.into_rgb8().into_raw();
    let plane = |channel: usize| pixels.iter().skip(channel).step_by(channels).copied();
    Ok(((0..channels).flat_map(plane).collect(), resized))
}

fn bits_per_channel(image: &DynamicImage) -> u16 {
    let color = image.color();
    color.bits_per_pixel() / u16::from(color.channel_count()).max(1)
}

/// Whether red, green and blue are equal in every pixel.
fn is_grey(image: &DynamicImage) -> bool {
    !image.color().has_color()
        || image
            .pixels()
            .all(|(_, _, pixel)| pixel.0[0] == pixel.0[1] && pixel.0[1] == pixel.0[2])
}

fn has_transparency(image: &DynamicImage) -> bool {
    image.color().has_alpha() && image.pixels().any(|(_, _, pixel)| pixel.0[3] != u8::MAX)
}

/// Resizes the image if its size differs and `resize` is set.
fn fit_to_size(image: DynamicImage, width: usize, height: usize, resize: bool) -> anyhow::Result<(DynamicImage, bool)> {
    let (expected_width, expected_height) = (u32::try_from(width)?, u32::try_from(height)?);
    if image.dimensions() == (expected_width, expected_height) {
        return Ok((image, false));
    }
    if !resize {
        let (has_width, has_height) = image.dimensions();
        bail!("is {has_width}x{has_height} pixels, expected {width}x{height}: use --resize to resize it");
    }
    Ok((
        image.resize_exact(expected_width, expected_height, FilterType::Triangle),
        true,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

    /// An image 2 pixels wide and 1 pixel high.
    fn two_pixels() -> DynamicImage {
        RgbImage::from_fn(2, 1, |x, _| if x == 0 { Rgb([1, 2, 3]) } else { Rgb([4, 5, 6]) }).into()
    }

    fn message<T: std::fmt::Debug>(result: anyhow::Result<T>) -> String {
        result.map_or_else(|error| error.to_string(), |value| format!("{value:?}"))
    }

    #[test]
    fn channels_come_first() -> anyhow::Result<()> {
        assert_eq!(
            convert(two_pixels(), &AcceptedInput::of_unit_range(&[3, 1, 2]), false)?,
            (vec![1, 4, 2, 5, 3, 6], false)
        );
        Ok(())
    }

    #[test]
    fn grey_images_fit_one_and_three_channels() -> anyhow::Result<()> {
        let grey: DynamicImage = GrayImage::from_pixel(1, 1, Luma([7])).into();
        assert_eq!(
            convert(grey.clone(), &AcceptedInput::of_unit_range(&[3, 1, 1]), false)?.0,
            [7, 7, 7]
        );
        assert_eq!(convert(grey, &AcceptedInput::of_unit_range(&[1, 1, 1]), false)?.0, [7]);
        let white: DynamicImage = RgbImage::from_pixel(1, 1, Rgb([255; 3])).into();
        assert_eq!(
            convert(white, &AcceptedInput::of_unit_range(&[1, 1, 1]), false)?.0,
            [255]
        );
        Ok(())
    }

    #[test]
    fn images_that_need_a_conversion_are_rejected() -> anyhow::Result<()> {
        let deep: DynamicImage = image::ImageBuffer::<Luma<u16>, _>::from_pixel(1, 1, Luma([700])).into();
        let text = message(convert(deep, &AcceptedInput::of_unit_range(&[3, 1, 1]), false));
        assert!(text.contains("16 bits"), "{text}");
        let text = message(convert(two_pixels(), &AcceptedInput::of_unit_range(&[1, 1, 2]), false));
        assert!(text.contains("grey"), "{text}");
        // Grey stored as colours keeps its value, whatever the weights of the conversion.
        for value in 0..=255 {
            let grey: DynamicImage = RgbImage::from_pixel(1, 1, Rgb([value; 3])).into();
            assert_eq!(
                convert(grey, &AcceptedInput::of_unit_range(&[1, 1, 1]), false)?.0,
                [value]
            );
        }
        Ok(())
    }

    #[test]
    fn an_image_is_resized_on_request_only() -> anyhow::Result<()> {
        let text = message(convert(
            two_pixels(),
            &AcceptedInput::of_unit_range(&[3, 32, 32]),
            false,
        ));
        assert!(
            text.contains("2x1") && text.contains("32x32") && text.contains("--resize"),
            "{text}"
        );
        let (data, resized) = convert(two_pixels(), &AcceptedInput::of_unit_range(&[3, 32, 32]), true)?;
        assert_eq!((data.len(), resized), (3072, true));
        Ok(())
    }

    #[test]
    fn transparency_is_rejected_and_an_opaque_alpha_is_dropped() -> anyhow::Result<()> {
        let clear: DynamicImage = RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 254])).into();
        assert!(message(convert(clear, &AcceptedInput::of_unit_range(&[3, 1, 1]), false)).contains("transparent"));
        let opaque: DynamicImage = RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 255])).into();
        assert_eq!(
            convert(opaque, &AcceptedInput::of_unit_range(&[3, 1, 1]), false)?.0,
            [1, 2, 3]
        );
        Ok(())
    }

    #[test]
    fn images_for_other_models_are_rejected() {
        assert!(message(convert(two_pixels(), &AcceptedInput::of_unit_range(&[8]), false)).contains(".npy"));
        let floats = AcceptedInput {
            accepts_uint8: false,
            low: -1.0,
            ..AcceptedInput::of_unit_range(&[3, 1, 2])
        };
        assert!(message(convert(two_pixels(), &floats, false)).contains("[-1, 1]"));
    }
}
