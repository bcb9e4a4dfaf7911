//! Violations in input from outside, all reported together.

use std::fmt;

/// One violation: its field, and the expected value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The key or field as its author wrote it: `mixture.alpha`, `inputs.shape`.
    pub field: String,
    /// The expected and the actual value.
    pub message: String,
}

/// All violations. The list is never empty when it is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations(pub Vec<Violation>);

impl Violations {
    /// A single violation.
    #[must_use]
    pub fn one(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut violations = Self::default();
        violations.add(field, message);
        violations
    }

    /// Adds a violation.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Violation {
            field: field.into(),
            message: message.into(),
        });
    }

    /// Adds a violation unless `holds`.
    pub fn check(&mut self, holds: bool, field: &str, message: impl FnOnce() -> String) {
        if !holds {
            self.add(field, message());
        }
    }

    /// `Ok` without violations.
    ///
    /// # Errors
    /// The violations.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            // A line that continues a message must not look like another field.
            let message = violation.message.replace('\n', "\n  ");
            write!(formatter, "  {}: {message}", violation.field)?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}
