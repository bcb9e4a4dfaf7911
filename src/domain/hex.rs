//! Hexadecimal text.

/// Lower-case hexadecimal, two digits per byte.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Parses `N` bytes from `2 N` hexadecimal digits.
#[must_use]
pub fn bytes_of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        // `from_str_radix` alone would accept a sign.
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = u8::try_from(16 * digit(0)? + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hexadecimal_digits_are_parsed() {
        assert_eq!(bytes_of_hex("00fFa1"), Some([0, 255, 161]));
        for wrong in ["00ff", "00ffa1b2", "+0ffa1", "00 fa1", "00fg11", "ü0ff1"] {
            assert_eq!(bytes_of_hex::<3>(wrong), None, "{wrong}");
        }
    }
}
