//! Images to channels-first bytes, with every value as the file has it: 16 bits a channel, and colours for a model of grey
//! images, are refused. A grey image gives each of three channels the same value, and an opaque alpha channel is left out.

use std::path::Path;

use anyhow::{Context as _, bail};
use image::imageops::FilterType;
use image::{DynamicImage, GenericImageView as _, ImageReader};

use crate::cli::client::input::model_input::{Input, InputSpec};
use crate::rpc::proto::DataType;

/// Reads a PNG or JPEG file as one uint8 input.
pub(crate) fn read(path: &Path, spec: &InputSpec, resize: bool) -> anyhow::Result<Input> {
    let name = path.display().to_string();
    let reader = ImageReader::open(path).with_context(|| name.clone())?;
    // By content: a JPEG that is called .png is still an image.
    let image = reader
        .with_guessed_format()
        .with_context(|| name.clone())?
        .decode()
        .with_context(|| name.clone())?;
    let (data, resized) = convert(image, spec, resize).with_context(|| name.clone())?;
    let shape = spec.shape.iter().filter_map(|&side| i64::try_from(side).ok()).collect();
    Ok(Input {
        name,
        dtype: DataType::Uint8,
        shape,
        data,
        resized,
    })
}

/// Channels-first bytes of an image of the model's size, and whether it had to be resized.
fn convert(image: DynamicImage, spec: &InputSpec, resize: bool) -> anyhow::Result<(Vec<u8>, bool)> {
    let &[channels @ (1 | 3), height, width] = spec.shape.as_slice() else {
        bail!(
            "is an image, but the model's inputs have the shape {:?}: give a .npy file",
            spec.shape
        );
    };
    if !spec.accepts_uint8 {
        bail!(
            "is an image, but the model takes float32 in [{}, {}]: give a .npy file",
            spec.low,
            spec.high
        );
    }
    // A certificate is about the values that are sent: what would change them is left to the caller.
    if bits_per_channel(&image) != 8 {
        bail!(
            "has {} bits a channel, and the model takes 8 from an image: convert it, or give a .npy file of float32",
            bits_per_channel(&image)
        );
    }
    if channels == 1 && !is_grey(&image) {
        bail!("has colours, but the model takes grey images: convert it to grey first");
    }
    if has_transparency(&image) {
        bail!("has transparent pixels: flatten it onto a background first");
    }
    let (image, resized) = fit(image, width, height, resize)?;
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

/// Whether red, green and blue are alike in every pixel, so that one of them says all.
fn is_grey(image: &DynamicImage) -> bool {
    !image.color().has_color()
        || image
            .pixels()
            .all(|(_, _, pixel)| pixel.0[0] == pixel.0[1] && pixel.0[1] == pixel.0[2])
}

fn has_transparency(image: &DynamicImage) -> bool {
    image.color().has_alpha() && image.pixels().any(|(_, _, pixel)| pixel.0[3] != u8::MAX)
}

fn fit(image: DynamicImage, width: usize, height: usize, resize: bool) -> anyhow::Result<(DynamicImage, bool)> {
    let (wanted_width, wanted_height) = (u32::try_from(width)?, u32::try_from(height)?);
    if image.dimensions() == (wanted_width, wanted_height) {
        return Ok((image, false));
    }
    if !resize {
        let (has_width, has_height) = image.dimensions();
        bail!("is {has_width}x{has_height} pixels, but the model takes {width}x{height}: give --resize to resize it");
    }
    Ok((
        image.resize_exact(wanted_width, wanted_height, FilterType::Triangle),
        true,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

    fn spec(shape: &[usize]) -> InputSpec {
        InputSpec {
            shape: shape.to_vec(),
            accepts_uint8: true,
            low: 0.0,
            high: 1.0,
        }
    }

    /// 2 wide, 1 high.
    fn two_pixels() -> DynamicImage {
        RgbImage::from_fn(2, 1, |x, _| if x == 0 { Rgb([1, 2, 3]) } else { Rgb([4, 5, 6]) }).into()
    }

    fn message<T: std::fmt::Debug>(result: anyhow::Result<T>) -> String {
        result.map_or_else(|error| error.to_string(), |value| format!("{value:?}"))
    }

    #[test]
    fn channels_come_first() -> anyhow::Result<()> {
        assert_eq!(
            convert(two_pixels(), &spec(&[3, 1, 2]), false)?,
            (vec![1, 4, 2, 5, 3, 6], false)
        );
        Ok(())
    }

    #[test]
    fn grey_goes_both_ways() -> anyhow::Result<()> {
        let grey: DynamicImage = GrayImage::from_pixel(1, 1, Luma([7])).into();
        assert_eq!(convert(grey.clone(), &spec(&[3, 1, 1]), false)?.0, [7, 7, 7]);
        assert_eq!(convert(grey, &spec(&[1, 1, 1]), false)?.0, [7]);
        let white: DynamicImage = RgbImage::from_pixel(1, 1, Rgb([255; 3])).into();
        assert_eq!(convert(white, &spec(&[1, 1, 1]), false)?.0, [255]);
        Ok(())
    }

    #[test]
    fn no_value_is_changed_in_silence() -> anyhow::Result<()> {
        let deep: DynamicImage = image::ImageBuffer::<Luma<u16>, _>::from_pixel(1, 1, Luma([700])).into();
        let text = message(convert(deep, &spec(&[3, 1, 1]), false));
        assert!(text.contains("16 bits"), "{text}");
        let text = message(convert(two_pixels(), &spec(&[1, 1, 2]), false));
        assert!(text.contains("grey"), "{text}");
        // Grey that is written as colours loses nothing, whatever the weights of a conversion.
        for value in 0..=255 {
            let grey: DynamicImage = RgbImage::from_pixel(1, 1, Rgb([value; 3])).into();
            assert_eq!(convert(grey, &spec(&[1, 1, 1]), false)?.0, [value]);
        }
        Ok(())
    }

    #[test]
    fn no_image_is_resized_in_silence() -> anyhow::Result<()> {
        let text = message(convert(two_pixels(), &spec(&[3, 32, 32]), false));
        assert!(
            text.contains("2x1") && text.contains("32x32") && text.contains("--resize"),
            "{text}"
        );
        let (data, resized) = convert(two_pixels(), &spec(&[3, 32, 32]), true)?;
        assert_eq!((data.len(), resized), (3072, true));
        Ok(())
    }

    #[test]
    fn transparency_is_refused_and_an_opaque_alpha_is_dropped() -> anyhow::Result<()> {
        let clear: DynamicImage = RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 254])).into();
        assert!(message(convert(clear, &spec(&[3, 1, 1]), false)).contains("transparent"));
        let opaque: DynamicImage = RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 255])).into();
        assert_eq!(convert(opaque, &spec(&[3, 1, 1]), false)?.0, [1, 2, 3]);
        Ok(())
    }

    #[test]
    fn models_that_take_no_images_say_so() {
        assert!(message(convert(two_pixels(), &spec(&[8]), false)).contains(".npy"));
        let floats = InputSpec {
            accepts_uint8: false,
            low: -1.0,
            ..spec(&[3, 1, 2])
        };
        assert!(message(convert(two_pixels(), &floats, false)).contains("[-1, 1]"));
    }
}
