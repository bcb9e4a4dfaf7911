//! The 100 CIFAR-10 test images in the repository.

use std::path::{Path, PathBuf};

/// Returns the absolute path of a file in the repository.
pub fn repository_path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Reads the images of `models/cifar10/test_100.png`, channels first. Each row of the file holds
/// one image of 32 x 32 pixels.
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

/// Reads the true classes of the images.
pub fn test_labels() -> Vec<u32> {
    let text = std::fs::read_to_string(repository_path("models/cifar10/test_100_labels.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}
