//! The command that puts a mixture in force.

/// The `certimix alpha set` line for these weights. `robust_temperature` is `None` if the mixture has
/// the temperature in force.
#[must_use]
pub fn alpha_command(alpha: f64, fallback_alpha: f64, robust_temperature: Option<f64>, settings_file: &str) -> String {
    let temperature = robust_temperature.map_or_else(String::new, |value| format!(" --robust-temperature {value}"));
    format!(
        "certimix alpha set {alpha} --fallback-alpha {fallback_alpha}{temperature} --config {}",
        quoted(settings_file)
    )
}

/// The text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@%,=".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_what_differs() {
        assert_eq!(
            alpha_command(0.8, 0.0, None, "config/cifar10.toml"),
            "certimix alpha set 0.8 --fallback-alpha 0 --config config/cifar10.toml"
        );
        assert_eq!(
            alpha_command(0.8, 0.8, Some(0.35), "it's; here"),
            r"certimix alpha set 0.8 --fallback-alpha 0.8 --robust-temperature 0.35 --config 'it'\''s; here'"
        );
    }
}
