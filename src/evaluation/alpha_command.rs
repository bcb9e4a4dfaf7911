//! The command that puts a mixture in force.

use std::path::Path;

use super::recompute::Setting;

/// The settings file in a command; `FILE` if the caller has named none.
#[must_use]
pub fn settings_file_text(config: Option<&Path>) -> String {
    config.map_or_else(|| "FILE".to_owned(), |config| config.display().to_string())
}

/// The temperature that a command has to set; `None` if it is in force already.
#[must_use]
#[expect(clippy::float_cmp, reason = "a temperature in force is the same number")]
pub fn changed_temperature(temperature: f64, in_force: f64) -> Option<f64> {
    (temperature != in_force).then_some(temperature)
}

/// The `certimix alpha set` line that puts `setting` in force in place of `in_force`.
#[must_use]
pub fn setting_command(setting: &Setting, in_force: &Setting, settings_file: &str) -> String {
    let changed = changed_temperature(setting.robust_temperature(), in_force.robust_temperature());
    alpha_command(setting.alpha(), setting.fallback_alpha(), changed, settings_file)
}

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
