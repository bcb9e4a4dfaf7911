//! Compares a served certificate with the recomputed one, field by field.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, Color, ContentArrangement, Table};

/// How a served value relates to the recomputed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldStatus {
    /// The values are equal, up to the last digits.
    Same,
    /// The served value claims less than is true. This is sound.
    Weaker,
    /// The served value claims more than is true, or the values differ in another way.
    Differs,
}

/// One field of a certificate, served and recomputed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldComparison {
    /// The field's name in `certimix.v1`.
    pub field: &'static str,
    /// The value in the certificate.
    pub served: String,
    /// The value that this command computed.
    pub recomputed: String,
    /// The result of the comparison.
    pub status: FieldStatus,
}

impl FieldComparison {
    fn new(field: &'static str, served: &impl ToString, recomputed: &impl ToString, status: FieldStatus) -> Self {
        Self {
            field,
            served: served.to_string(),
            recomputed: recomputed.to_string(),
            status,
        }
    }

    /// Compares two values that must be equal.
    pub(super) fn equal<T: PartialEq + ToString>(field: &'static str, served: &T, recomputed: &T) -> Self {
        let status = if served == recomputed {
            FieldStatus::Same
        } else {
            FieldStatus::Differs
        };
        Self::new(field, served, recomputed, status)
    }

    /// Compares a number that must not exceed `recomputed` by more than `tolerance`. NaN differs.
    pub(super) fn at_most(field: &'static str, served: f64, recomputed: f64, tolerance: f64) -> Self {
        let status = if (served - recomputed).abs() <= tolerance {
            FieldStatus::Same
        } else if served < recomputed {
            FieldStatus::Weaker
        } else {
            // Every comparison with NaN is false, so NaN ends here.
            FieldStatus::Differs
        };
        Self::new(field, &number_text(served), &number_text(recomputed), status)
    }

    /// Compares a number that must not fall below `recomputed` by more than `tolerance`. NaN
    /// differs.
    pub(super) fn at_least(field: &'static str, served: f64, recomputed: f64, tolerance: f64) -> Self {
        let Self { status, .. } = Self::at_most(field, -served, -recomputed, tolerance);
        Self::new(field, &number_text(served), &number_text(recomputed), status)
    }
}

/// Every digit of a number, in at most 24 characters: with an exponent where it is very small or
/// large.
fn number_text(number: f64) -> String {
    format!("{number:?}")
}

/// Whether no field differs.
pub(super) fn all_hold(comparisons: &[FieldComparison]) -> bool {
    comparisons
        .iter()
        .all(|comparison| comparison.status != FieldStatus::Differs)
}

/// A table with one row for each field. `recomputed_title` is the heading of the third column.
pub(super) fn comparison_table(comparisons: &[FieldComparison], recomputed_title: &str) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["field", "served", recomputed_title, ""]);
    for comparison in comparisons {
        let status = match comparison.status {
            FieldStatus::Same => Cell::new("same"),
            FieldStatus::Weaker => Cell::new("sound: claims less"),
            FieldStatus::Differs => Cell::new("✗ DIFFERS").fg(Color::Red),
        };
        table.add_row([
            Cell::new(comparison.field),
            Cell::new(&comparison.served),
            Cell::new(&comparison.recomputed),
            status,
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_larger_claim_differs() {
        let status = |served| FieldComparison::at_most("radius", served, 1.0, 1e-12).status;
        assert_eq!(
            [1.0, 1.0 + 1e-13, 0.9, 1.1, f64::NAN].map(status),
            [
                FieldStatus::Same,
                FieldStatus::Same,
                FieldStatus::Weaker,
                FieldStatus::Differs,
                FieldStatus::Differs
            ]
        );
        let status = |served| FieldComparison::at_least("upper_bound", served, 1.0, 1e-12).status;
        assert_eq!([1.1, 0.9].map(status), [FieldStatus::Weaker, FieldStatus::Differs]);
    }

    #[test]
    fn every_digit_is_shown_in_a_short_text() {
        assert_eq!(number_text(0.834_332_935_700_304_1), "0.8343329357003041");
        assert_eq!(
            number_text(0.000_000_000_024_775_015_372_568_987),
            "2.4775015372568987e-11"
        );
    }

    #[test]
    fn one_difference_fails_the_comparison() {
        let same = FieldComparison::equal("votes", &1, &1);
        let other = FieldComparison::equal("votes", &1, &2);
        assert!(all_hold(std::slice::from_ref(&same)) && !all_hold(&[same, other.clone()]));
        let text = comparison_table(&[other], "drawn again").force_no_tty().to_string();
        assert!(text.contains("drawn again") && text.contains("DIFFERS"), "{text}");
    }
}
