//! Finds the end of a JPEG image.

use std::io::{self, BufRead, Read as _};

/// Whether `content`, which begins with a JPEG image, holds it to its end.
pub(super) fn has_end_of_image(content: &mut impl BufRead) -> io::Result<bool> {
    while let Some(marker) = next_marker(content)? {
        match marker {
            // A byte of the image, the start of the image, a restart or a marker without contents.
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            0xd9 => return Ok(true),
            // A segment, perhaps with another JPEG in it, states its length.
            _ => {
                let (Some(high), Some(low)) = (next_byte(content)?, next_byte(content)?) else {
                    return Ok(false);
                };
                let contents = u64::from(u16::from_be_bytes([high, low])).saturating_sub(2);
                io::copy(&mut content.by_ref().take(contents), &mut io::sink())?;
            }
        }
    }
    Ok(false)
}

/// The byte after the next bytes 0xff.
fn next_marker(content: &mut impl BufRead) -> io::Result<Option<u8>> {
    let mut is_marker = false;
    while let Some(byte) = next_byte(content)? {
        match (byte, is_marker) {
            (0xff, _) => is_marker = true,
            (byte, true) => return Ok(Some(byte)),
            (_, false) => {}
        }
    }
    Ok(None)
}

fn next_byte(content: &mut impl BufRead) -> io::Result<Option<u8>> {
    let byte = content.fill_buf()?.first().copied();
    content.consume(usize::from(byte.is_some()));
    Ok(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_that_of_the_image_itself() {
        // A segment with another image, a scan with an escaped 0xff and a restart, and the end.
        let image = [
            b"\xff\xd8".as_slice(),
            b"\xff\xe1\x00\x06\xff\xd8\xff\xd9",
            b"\xff\xda\x00\x03\x01abc\xff\x00d\xff\xd0e",
            b"\xff\xff\xd9",
        ]
        .concat();
        for length in 0..=image.len() {
            let found = has_end_of_image(&mut &image[..length]).unwrap();
            assert_eq!(found, length == image.len(), "{length} bytes");
        }
        assert!(has_end_of_image(&mut [image, b"\xff\xda more".to_vec()].concat().as_slice()).unwrap());
    }
}
