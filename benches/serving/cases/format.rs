//! Texts for the figures of the report.

/// "1 caller", "4 callers".
pub fn callers_text(callers: usize) -> String {
    format!("{callers} caller{}", if callers == 1 { "" } else { "s" })
}

/// Milliseconds with two decimals.
pub fn ms(value: f64) -> String {
    format!("{value:.2} ms")
}

/// Milliseconds with three decimals.
pub fn ms_3_decimals(value: f64) -> String {
    format!("{value:.3} ms")
}

pub fn per_second(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.1}/s")
    } else {
        format!("{value:.0}/s")
    }
}
