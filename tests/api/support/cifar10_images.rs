//! The 100 test images that are committed beside the bundled models.

use std::path::{Path, PathBuf};

/// A file of the repository.
pub fn repository_path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The images of `models/cifar10/test_100.png`, channels first. The file has one image of 32 x 32 a row.
pub fn test_images() -> Vec<Vec<u8>> {
    let sheet = image::open(repository_path("models/cifar10/test_100.png"))
        .unwrap()
        .into_rgb8();
    let row = |image| (0..1024).map(move |place| (place, image));
    let channels_first = |image| {
        (0..3)
            .flat_map(|channel| {
                row(image)
                    .map(|(x, y)| sheet.get_pixel(x, y).0[channel])
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    (0..sheet.height()).map(channels_first).collect()
}

/// Their true classes.
pub fn test_labels() -> Vec<u32> {
    let text = std::fs::read_to_string(repository_path("models/cifar10/test_100_labels.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}
