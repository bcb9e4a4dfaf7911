//! The mathematics of a radius never drops a NaN.
//!
//! `f64::min`, `max` and `clamp` ignore a NaN operand, so an overflow before such a call ends as a
//! finite number and the radius claims too much. `certificate/numerics/nan_safe.rs` has functions that keep
//! the NaN. The noise is integer arithmetic, and tests certify nothing, so both are exempt.

use crate::sources;

const FORBIDDEN_CALLS: [&str; 6] = [".min(", ".max(", ".clamp(", "::min", "::max", "::clamp"];

#[test]
fn radius_mathematics_uses_no_minimum_or_maximum_that_drops_nan() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (path, text) in sources::read("src/certificate") {
        let below = path.trim_start_matches("src/certificate/");
        if ["tests", "fuzzing", "noise"]
            .iter()
            .any(|folder| below.starts_with(folder))
        {
            continue;
        }
        checked += 1;
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for call in FORBIDDEN_CALLS {
                if code.contains(call) {
                    wrong.push(format!("{below}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    assert!(checked > 20, "the folder has moved");
    assert!(wrong.is_empty(), "use certificate/numerics/nan_safe.rs: {wrong:#?}");
}
