//! The changes that the client makes to an image before it sends it.

use crate::cli::text_layout::count_of;
pub use crate::evaluation::ImageConversions as Conversions;
use crate::evaluation::UPRIGHT;

/// Counts conversions, so that each kind is reported once.
#[derive(Debug, Default)]
pub(in crate::cli::client) struct ConversionCounts {
    resized: usize,
    turned: usize,
    grey_to_colour: usize,
    alpha_dropped: usize,
}

impl ConversionCounts {
    /// Counts the conversions of one image.
    pub(in crate::cli::client) fn add(&mut self, conversions: &Conversions) {
        self.resized += usize::from(conversions.resized_from.is_some());
        self.turned += usize::from(conversions.exif_orientation != UPRIGHT);
        self.grey_to_colour += usize::from(conversions.grey_to_colour);
        self.alpha_dropped += usize::from(conversions.alpha_dropped);
    }

    /// One line for each kind that occurred.
    pub(in crate::cli::client) fn lines(&self) -> Vec<String> {
        let kinds = [
            (self.turned, "turned upright, as the Exif orientation says"),
            (
                self.resized,
                "resized to the size of the model: the certificates are about the resized images",
            ),
            (
                self.grey_to_colour,
                "converted from grey: each colour channel has the grey value",
            ),
            (self.alpha_dropped, "stripped of an opaque alpha channel"),
        ];
        let occurred = kinds.into_iter().filter(|(count, _)| *count > 0);
        occurred
            .map(|(count, change)| {
                let verb = if count == 1 { "was" } else { "were" };
                format!("{} {verb} {change}", count_of(count, "image"))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_reported_once() {
        let mut counts = ConversionCounts::default();
        assert!(counts.lines().is_empty());
        counts.add(&Conversions::default());
        for orientation in [3, 6] {
            counts.add(&Conversions {
                exif_orientation: orientation,
                resized_from: (orientation == 3).then_some((640, 480)),
                ..Conversions::default()
            });
        }
        let lines = counts.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("2 images were turned"), "{lines:?}");
        assert!(lines[1].starts_with("1 image was resized"), "{lines:?}");
    }
}
