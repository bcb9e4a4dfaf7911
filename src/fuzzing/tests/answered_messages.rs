//! The messages of the corpus are answered, so that their mutations reach the models.

use super::corpus;
use crate::fuzzing::requests::send;

/// The messages that the server refuses: an empty one, a method that it does not implement, and faults.
const REFUSED: [&str; 3] = ["predict-empty", "infer-stream", "regression-"];

#[test]
fn every_message_of_the_corpus_is_answered() {
    for (path, message) in corpus::read("requests") {
        let name = path.file_name().unwrap().to_str().unwrap();
        if REFUSED.iter().any(|refused| name.starts_with(refused)) {
            continue;
        }
        let answered = send(&message);
        assert!(answered.as_ref().is_ok_and(|&count| count > 0), "{name}: {answered:?}");
    }
}
