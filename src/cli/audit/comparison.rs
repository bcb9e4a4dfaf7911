//! What was served beside what was found, field by field.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, Color, ContentArrangement, Table};

/// How a served value stands to the recomputed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same, up to the last digits.
    Same,
    /// Less is claimed than is true: sound.
    Weaker,
    /// More is claimed than is true, or something else.
    Differs,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    /// Its name on the wire.
    pub field: &'static str,
    /// What the certificate says.
    pub served: String,
    /// What was found.
    pub found: String,
    /// How they compare.
    pub verdict: Verdict,
}

impl Check {
    fn new(field: &'static str, served: &impl ToString, found: &impl ToString, verdict: Verdict) -> Self {
        Self {
            field,
            served: served.to_string(),
            found: found.to_string(),
            verdict,
        }
    }

    /// Two values that must be equal.
    pub(crate) fn equal<T: PartialEq + ToString>(field: &'static str, served: &T, found: &T) -> Self {
        let verdict = if served == found {
            Verdict::Same
        } else {
            Verdict::Differs
        };
        Self::new(field, served, found, verdict)
    }

    /// A number that must not exceed `found` by more than `tolerance`.
    pub(crate) fn at_most(field: &'static str, served: f64, found: f64, tolerance: f64) -> Self {
        let verdict = if (served - found).abs() <= tolerance {
            Verdict::Same
        } else if served < found {
            Verdict::Weaker
        } else {
            // NaN ends up here too.
            Verdict::Differs
        };
        Self::new(field, &served, &found, verdict)
    }

    /// A number that must not fall short of `found` by more than `tolerance`.
    pub(crate) fn at_least(field: &'static str, served: f64, found: f64, tolerance: f64) -> Self {
        let Self { verdict, .. } = Self::at_most(field, -served, -found, tolerance);
        Self::new(field, &served, &found, verdict)
    }
}

/// Whether all is sound.
pub(crate) fn all_hold(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.verdict != Verdict::Differs)
}

/// One row a field; `found` says what the third column is.
pub(crate) fn table(checks: &[Check], found: &str) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["field", "served", found, ""]);
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Same => Cell::new("same"),
            Verdict::Weaker => Cell::new("sound: claims less"),
            Verdict::Differs => Cell::new("✗ DIFFERS").fg(Color::Red),
        };
        table.add_row([
            Cell::new(check.field),
            Cell::new(&check.served),
            Cell::new(&check.found),
            verdict,
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_too_much_is_wrong() {
        let verdict = |served| Check::at_most("radius", served, 1.0, 1e-12).verdict;
        assert_eq!(
            [1.0, 1.0 + 1e-13, 0.9, 1.1, f64::NAN].map(verdict),
            [
                Verdict::Same,
                Verdict::Same,
                Verdict::Weaker,
                Verdict::Differs,
                Verdict::Differs
            ]
        );
        let verdict = |served| Check::at_least("upper_bound", served, 1.0, 1e-12).verdict;
        assert_eq!([1.1, 0.9].map(verdict), [Verdict::Weaker, Verdict::Differs]);
    }

    #[test]
    fn one_difference_is_enough() {
        let same = Check::equal("votes", &1, &1);
        let other = Check::equal("votes", &1, &2);
        assert!(all_hold(std::slice::from_ref(&same)) && !all_hold(&[same, other.clone()]));
        let text = table(&[other], "drawn again").force_no_tty().to_string();
        assert!(text.contains("drawn again") && text.contains("DIFFERS"), "{text}");
    }
}
