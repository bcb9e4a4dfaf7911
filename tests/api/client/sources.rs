//! Directories, stdin, and every format of images.

use super::command::{INPUT, Server, array, write_image};
use crate::support::Setup;

#[test]
fn a_directory_stands_for_the_images_in_it() {
    let server = Server::start(Setup::pair("image_g", "image_h"));
    let photos = server.folder().join("photos");
    std::fs::create_dir_all(photos.join("sub")).unwrap();
    for name in ["b.bmp", "a.png", "sub/c.webp", ".hidden.png"] {
        write_image(&photos.join(name), 8, 8, [9, 200, 40]);
    }
    std::fs::write(photos.join("readme.txt"), "no image").unwrap();
    let run = server.run(&["predict", photos.to_str().unwrap(), "--json"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(run.files(), ["a.png", "b.bmp", "c.webp"]);
    // Each format has the same pixels.
    let records = run.records();
    assert!(
        records
            .iter()
            .all(|record| record["input_sha256"] == records[0]["input_sha256"])
    );
}

#[test]
fn stdin_holds_an_image_or_an_array() {
    let server = Server::start(Setup::pair("image_g", "image_h"));
    let image = write_image(&server.folder().join("x.png"), 16, 16, [9, 200, 40]);
    let run = server.run_with(
        &["predict", "-", "--resize", "--json"],
        &[],
        &std::fs::read(image).unwrap(),
    );
    assert_eq!(
        (run.code, run.files()),
        (Some(0), vec!["stdin".to_owned()]),
        "{}",
        run.stderr
    );
    assert_eq!(run.records()[0]["resized"], true);
    // A conversion is said once for each kind.
    assert_eq!(run.stderr.matches("1 image was resized").count(), 1, "{}", run.stderr);

    let server = Server::start(Setup::pair("linear_g", "linear_h"));
    let run = server.run_with(&["predict", "-", "--json"], &[], &array(&[INPUT; 2]));
    assert_eq!(
        (run.code, run.files()),
        (Some(0), vec!["stdin[0]".to_owned(), "stdin[1]".to_owned()])
    );
    let empty = server.run(&["predict", "-"]);
    assert_eq!(empty.code, Some(1));
    assert!(empty.stderr.contains("stdin: is empty"), "{}", empty.stderr);
}
