//! The division of the inputs into a part for the search and a part that is held aside.

use sha2::{Digest as _, Sha256};

/// Whether the input with this name is held aside from the search.
///
/// The first bit of the SHA-256 of the name decides. So about half of the inputs is held aside, the
/// order of the file and its contents have no influence, and a second evaluation of the same data has
/// the same parts.
#[must_use]
pub fn is_held_aside(id: &str) -> bool {
    let digest = Sha256::digest(id.as_bytes());
    digest.first().is_some_and(|&first| first >= 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_half_of_the_inputs_is_held_aside_and_the_same_ones_each_time() {
        let held = (0..10_000)
            .filter(|index| is_held_aside(&format!("test.npz#{index}")))
            .count();
        assert!((4_700..5_300).contains(&held), "{held}");
        // Their SHA-256 begin with ba, ca, 9f and 2c.
        assert_eq!(
            ["abc", "a", "test", "foo"].map(is_held_aside),
            [true, true, true, false]
        );
    }
}
