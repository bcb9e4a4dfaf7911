//! Decodes images into channels-first bytes.
//!
//! The image is turned upright as its Exif orientation says, because that is how people and other
//! programs see it. Apart from this, every value stays as it is in the file. Therefore images with 16
//! bits a channel, and colour images for a model of grey images, are rejected. A grey image gives
//! each of three channels the same value. An opaque alpha channel is dropped.

use std::io::{BufRead, Seek};

use anyhow::bail;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, GenericImageView as _, ImageDecoder as _, ImageFormat, ImageReader};

use super::jpeg_end::has_end_of_image;

/// The images that a model accepts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AcceptedImage<'a> {
    /// The shape of one input, without N.
    pub shape: &'a [usize],
    /// Whether the model accepts bytes u, which stand for u / 255.
    pub accepts_uint8: bool,
    /// The smallest value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
}

/// The Exif orientation of an image whose pixels are stored as they are seen.
pub const UPRIGHT: u8 = 1;

/// The changes to one image. A certificate is about the values after the changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageConversions {
    /// Width and height before the image was resized.
    pub resized_from: Option<(u32, u32)>,
    /// The Exif orientation that was applied, 1 to 8; 1 where nothing was turned.
    pub exif_orientation: u8,
    /// The grey value was repeated in each colour channel.
    pub grey_to_colour: bool,
    /// The opaque alpha channel was dropped.
    pub alpha_dropped: bool,
}

impl Default for ImageConversions {
    fn default() -> Self {
        Self {
            resized_from: None,
            exif_orientation: UPRIGHT,
            grey_to_colour: false,
            alpha_dropped: false,
        }
    }
}

/// A decoded image, and the orientation in which people see it.
pub struct DecodedImage {
    stored: DynamicImage,
    orientation: Orientation,
}

/// The most bytes of a decoded image. A small file may declare a huge size.
const MAX_DECODED_BYTES: u64 = 512 << 20;

/// Whether content that begins with `bytes` is an image that [`decode`] reads.
#[must_use]
pub fn is_image(bytes: &[u8]) -> bool {
    image::guess_format(bytes).is_ok_and(|format| format.reading_enabled())
}

/// Decodes a PNG, JPEG, WebP or BMP image; `None` if the content is none of these.
///
/// # Errors
/// When the image is damaged or larger than the decoder's limits.
pub fn decode(content: impl BufRead + Seek) -> anyhow::Result<Option<DecodedImage>> {
    // The content decides the format: a JPEG named .png is read.
    let reader = ImageReader::new(content).with_guessed_format()?;
    if !reader.format().is_some_and(|format| format.reading_enabled()) {
        return Ok(None);
    }
    let reader = match reader.format() {
        Some(ImageFormat::Jpeg) => ImageReader::with_format(complete_jpeg(reader.into_inner())?, ImageFormat::Jpeg),
        _ => reader,
    };
    let mut decoder = reader.into_decoder()?;
    if decoder.total_bytes() > MAX_DECODED_BYTES {
        let (width, height) = decoder.dimensions();
        bail!("is {width}x{height} pixels, expected at most {MAX_DECODED_BYTES} bytes of them");
    }
    let orientation = decoder.orientation()?;
    let stored = DynamicImage::from_decoder(decoder)?;
    Ok(Some(DecodedImage { stored, orientation }))
}

/// Refuses a JPEG that is cut short. Its decoder fills the rest with grey.
fn complete_jpeg<R: BufRead + Seek>(mut content: R) -> anyhow::Result<R> {
    if !has_end_of_image(&mut content)? {
        bail!("is cut short: its end is missing");
    }
    content.rewind()?;
    Ok(content)
}

impl DecodedImage {
    /// Row-major bytes of one input of the model, and the changes.
    ///
    /// # Errors
    /// When the image does not fit the model.
    pub fn into_bytes(self, accepted: &AcceptedImage<'_>, resize: bool) -> anyhow::Result<(Vec<u8>, ImageConversions)> {
        let mut image = self.stored;
        image.apply_orientation(self.orientation);
        let (data, mut conversions) = convert(image, accepted, resize)?;
        conversions.exif_orientation = self.orientation.to_exif();
        Ok((data, conversions))
    }
}

/// Converts an upright image to channels-first bytes of the model's size.
fn convert(image: DynamicImage, spec: &AcceptedImage<'_>, resize: bool) -> anyhow::Result<(Vec<u8>, ImageConversions)> {
    let &[channels @ (1 | 3), height, width] = spec.shape else {
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
    let mut conversions = ImageConversions {
        grey_to_colour: channels == 3 && !image.color().has_color(),
        alpha_dropped: image.color().has_alpha(),
        ..ImageConversions::default()
    };
    let image = fit_to_size(image, (width, height), resize, &mut conversions)?;
    if channels == 1 {
        return Ok((image.into_luma8().into_raw(), conversions));
    }
    let pixels = image.into_rgb8().into_raw();
    let plane = |channel: usize| pixels.iter().skip(channel).step_by(channels).copied();
    Ok(((0..channels).flat_map(plane).collect(), conversions))
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

/// Resizes the image to `width` and `height` if its size differs and `resize` is set.
fn fit_to_size(
    image: DynamicImage,
    (width, height): (usize, usize),
    resize: bool,
    conversions: &mut ImageConversions,
) -> anyhow::Result<DynamicImage> {
    let (expected_width, expected_height) = (u32::try_from(width)?, u32::try_from(height)?);
    if image.dimensions() == (expected_width, expected_height) {
        return Ok(image);
    }
    if !resize {
        let (has_width, has_height) = image.dimensions();
        bail!("is {has_width}x{has_height} pixels, expected {width}x{height}: use --resize to resize it");
    }
    conversions.resized_from = Some(image.dimensions());
    Ok(image.resize_exact(expected_width, expected_height, FilterType::Triangle))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

    /// A model that accepts bytes in this shape.
    fn of_unit_range(shape: &[usize]) -> AcceptedImage<'_> {
        AcceptedImage {
            shape,
            accepts_uint8: true,
            low: 0.0,
            high: 1.0,
        }
    }

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
            convert(two_pixels(), &of_unit_range(&[3, 1, 2]), false)?,
            (vec![1, 4, 2, 5, 3, 6], ImageConversions::default())
        );
        Ok(())
    }

    #[test]
    fn grey_images_fit_one_and_three_channels() -> anyhow::Result<()> {
        let grey: DynamicImage = GrayImage::from_pixel(1, 1, Luma([7])).into();
        assert_eq!(convert(grey.clone(), &of_unit_range(&[3, 1, 1]), false)?.0, [7, 7, 7]);
        assert_eq!(convert(grey, &of_unit_range(&[1, 1, 1]), false)?.0, [7]);
        let white: DynamicImage = RgbImage::from_pixel(1, 1, Rgb([255; 3])).into();
        assert_eq!(convert(white, &of_unit_range(&[1, 1, 1]), false)?.0, [255]);
        Ok(())
    }

    #[test]
    fn images_that_need_a_conversion_are_rejected() -> anyhow::Result<()> {
        let deep: DynamicImage = image::ImageBuffer::<Luma<u16>, _>::from_pixel(1, 1, Luma([700])).into();
        let text = message(convert(deep, &of_unit_range(&[3, 1, 1]), false));
        assert!(text.contains("16 bits"), "{text}");
        let text = message(convert(two_pixels(), &of_unit_range(&[1, 1, 2]), false));
        assert!(text.contains("grey"), "{text}");
        // Grey stored as colours keeps its value, whatever the weights of the conversion.
        for value in 0..=255 {
            let grey: DynamicImage = RgbImage::from_pixel(1, 1, Rgb([value; 3])).into();
            assert_eq!(convert(grey, &of_unit_range(&[1, 1, 1]), false)?.0, [value]);
        }
        Ok(())
    }

    #[test]
    fn an_image_is_resized_on_request_only() -> anyhow::Result<()> {
        let text = message(convert(two_pixels(), &of_unit_range(&[3, 32, 32]), false));
        assert!(
            text.contains("2x1") && text.contains("32x32") && text.contains("--resize"),
            "{text}"
        );
        let (data, conversions) = convert(two_pixels(), &of_unit_range(&[3, 32, 32]), true)?;
        assert_eq!((data.len(), conversions.resized_from), (3072, Some((2, 1))));
        Ok(())
    }

    #[test]
    fn transparency_is_rejected_and_an_opaque_alpha_is_dropped() -> anyhow::Result<()> {
        let clear: DynamicImage = RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 254])).into();
        assert!(message(convert(clear, &of_unit_range(&[3, 1, 1]), false)).contains("transparent"));
        let opaque: DynamicImage = RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 255])).into();
        assert_eq!(convert(opaque, &of_unit_range(&[3, 1, 1]), false)?.0, [1, 2, 3]);
        Ok(())
    }

    #[test]
    fn images_for_other_models_are_rejected() {
        assert!(message(convert(two_pixels(), &of_unit_range(&[8]), false)).contains(".npy"));
        let floats = AcceptedImage {
            accepts_uint8: false,
            low: -1.0,
            ..of_unit_range(&[3, 1, 2])
        };
        assert!(message(convert(two_pixels(), &floats, false)).contains("[-1, 1]"));
    }

    /// The content of a file in `format`, with the chunk of Exif that gives the orientation.
    fn file(image: &DynamicImage, format: ImageFormat, orientation: u8) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        let bytes = bytes.into_inner();
        // A TIFF header, and one directory with one entry: tag 0x0112, a short.
        let tiff = [
            b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(),
            &[orientation, 0, 0, 0],
            &[0; 4],
        ]
        .concat();
        match format {
            // Behind the marker that starts the image: APP1 with its length.
            ImageFormat::Jpeg => {
                let content = [b"Exif\0\0".as_slice(), &tiff].concat();
                let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
                [&bytes[..2], b"\xff\xe1", &length, &content, &bytes[2..]].concat()
            }
            // Behind the header chunk, which ends at byte 33: an eXIf chunk.
            ImageFormat::Png => {
                let chunk = [b"eXIf".as_slice(), &tiff].concat();
                let length = u32::try_from(tiff.len()).unwrap().to_be_bytes();
                let checksum = crc32(&chunk).to_be_bytes();
                [&bytes[..33], &length, &chunk, &checksum, &bytes[33..]].concat()
            }
            _ => bytes,
        }
    }

    /// The checksum of a PNG chunk.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
        })
    }

    fn input_of(content: Vec<u8>, spec: &AcceptedImage<'_>) -> anyhow::Result<(Vec<u8>, ImageConversions)> {
        decode(Cursor::new(content))?.unwrap().into_bytes(spec, false)
    }

    /// The pixels 1 2 / 3 4 as people see them, in each of the eight orientations.
    #[test]
    fn every_exif_orientation_is_turned_upright() -> anyhow::Result<()> {
        // As stored, so that the stated orientation shows 1 2 / 3 4 / 5 6.
        let stored: [(u8, (u32, u32), [u8; 6]); 8] = [
            (1, (2, 3), [1, 2, 3, 4, 5, 6]),
            (2, (2, 3), [2, 1, 4, 3, 6, 5]),
            (3, (2, 3), [6, 5, 4, 3, 2, 1]),
            (4, (2, 3), [5, 6, 3, 4, 1, 2]),
            (5, (3, 2), [1, 3, 5, 2, 4, 6]),
            (6, (3, 2), [2, 4, 6, 1, 3, 5]),
            (7, (3, 2), [6, 4, 2, 5, 3, 1]),
            (8, (3, 2), [5, 3, 1, 6, 4, 2]),
        ];
        let spec = of_unit_range(&[1, 3, 2]);
        for (orientation, (width, height), pixels) in stored {
            let image: DynamicImage = GrayImage::from_raw(width, height, pixels.to_vec()).unwrap().into();
            let input = input_of(file(&image, ImageFormat::Png, orientation), &spec)?;
            assert_eq!(input.0, [1, 2, 3, 4, 5, 6], "orientation {orientation}");
            assert_eq!(input.1.exif_orientation, orientation);
        }
        Ok(())
    }

    #[test]
    fn a_jpeg_is_turned_upright() -> anyhow::Result<()> {
        // Two blocks of 8 by 8 pixels, which the format keeps apart: dark left, bright right.
        let stored: DynamicImage = GrayImage::from_fn(16, 8, |x, _| Luma([if x < 8 { 20 } else { 220 }])).into();
        let upright = |orientation| {
            let shape = match orientation {
                6 | 8 => [1, 16, 8],
                _ => [1, 8, 16],
            };
            let input = input_of(file(&stored, ImageFormat::Jpeg, orientation), &of_unit_range(&shape))?;
            anyhow::Ok((input.0[0], input.0[127]))
        };
        let is_dark_first = |(first, last): (u8, u8)| first < 40 && last > 200;
        for (orientation, dark_first) in [(1, true), (2, false), (3, false), (4, true), (6, true), (8, false)] {
            let corners = upright(orientation)?;
            assert_eq!(is_dark_first(corners), dark_first, "{orientation}: {corners:?}");
        }
        // No such orientation: the image stays as it is stored.
        assert!(is_dark_first(upright(9)?));
        Ok(())
    }

    #[test]
    fn every_format_is_read_by_its_content() -> anyhow::Result<()> {
        let spec = of_unit_range(&[3, 1, 2]);
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::WebP] {
            let mut content = Cursor::new(Vec::new());
            two_pixels().write_to(&mut content, format)?;
            let input = input_of(content.into_inner(), &spec)?;
            assert_eq!(input.0, [1, 4, 2, 5, 3, 6], "{format:?}");
        }
        assert!(decode(Cursor::new(b"GIF89a".to_vec()))?.is_none());
        Ok(())
    }
}
