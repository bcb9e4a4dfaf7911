//! An input that cannot be read or is refused is reported by its name, and the others go on.

use super::command::{INPUT, Server, array};
use crate::support::Setup;

#[test]
fn unreadable_files_are_reported_and_the_others_are_answered() {
    let server = Server::start(Setup::pair("linear_g", "linear_h"));
    let good = server.file("good.npy", &array(&[INPUT; 2]));
    let text = server.file("text.npy", b"plain text");
    let flat = server.file("flat.npy", &array(&[])[..]);
    let png = server.file("broken.png", b"\x89PNG\r\n\x1a\nbroken");
    for more in [&[][..], &["--stream"], &["--batch", "3"]] {
        let arguments = [
            &["predict", "missing.npy", &good, &text, &good, &flat, &png, "--json"],
            more,
        ]
        .concat();
        let run = server.run(&arguments);
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        let names = ["good.npy[0]", "good.npy[1]", "good.npy[0]", "good.npy[1]"];
        assert_eq!(run.files(), names, "{}", run.stderr);
        for (name, reason) in [
            ("missing.npy", "No such file"),
            ("text.npy", "none of PNG"),
            ("flat.npy", "holds no input"),
            ("broken.png", "broken.png: "),
        ] {
            let line = run.stderr.lines().find(|line| line.contains(name));
            assert!(
                line.is_some_and(|line| line.starts_with("error: ") && line.contains(reason)),
                "{}",
                run.stderr
            );
        }
    }
}

#[test]
fn a_refused_input_of_a_batch_is_found() {
    let server = Server::start(Setup::pair("linear_g", "linear_h"));
    let mut inputs = [INPUT; 9];
    inputs[5][2] = 7.0;
    let file = server.file("many.npy", &array(&inputs));
    for stream in [&[][..], &["--stream"]] {
        let run = server.run(&[&["predict", &file, "--batch", "9", "--json"], stream].concat());
        assert_eq!((run.code, run.records().len()), (Some(1), 8), "{}", run.stderr);
        assert!(
            run.stderr.contains("many.npy[5]: ") && run.stderr.contains("inputs.data"),
            "{}",
            run.stderr
        );
        assert_eq!(run.stderr.matches("error: ").count(), 1, "{}", run.stderr);
    }
    let run = server.run(&["certify", &file, "--stream"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains("many.npy[5]: ") && run.stdout.contains("8 inputs"),
        "{run:?}"
    );
}

#[test]
fn an_option_that_every_request_has_wrong_is_reported_once() {
    let server = Server::start(Setup::pair("linear_g", "linear_h"));
    let file = server.file("many.npy", &array(&[INPUT; 9]));
    let run = server.run(&["certify", &file, "--target-radius=-1"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(run.stderr.contains("target_radius"), "{}", run.stderr);
    assert_eq!(run.stderr.matches("error: ").count(), 1, "{}", run.stderr);
}
