//! Reads a JSON object field by field. Every error names its field.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::certificate::CertificateError;

/// An error in a line of input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli::audit) struct FieldError {
    /// The field; `None` if the error concerns the whole line.
    pub field: Option<String>,
    /// The problem, and the expected value.
    pub message: String,
}

impl FieldError {
    pub(super) fn new(field: &str, message: impl Into<String>) -> Self {
        Self {
            field: Some(field.to_owned()),
            message: message.into(),
        }
    }

    pub(super) fn line(message: impl Into<String>) -> Self {
        Self {
            field: None,
            message: message.into(),
        }
    }
}

/// Converts an error of the certificate mathematics into an error of `field`.
pub(super) fn in_field(field: &'static str) -> impl Fn(CertificateError) -> FieldError {
    move |error| FieldError::new(field, error.to_string())
}

/// Takes fields out of a JSON object. At the end no field may be left. A null field counts as
/// absent.
#[derive(Debug)]
pub(super) struct FieldReader(Map<String, Value>);

impl FieldReader {
    pub(super) fn new(object: Map<String, Value>) -> Self {
        Self(object)
    }

    /// Whether the field is present and not null.
    pub(super) fn has(&self, field: &str) -> bool {
        self.0.get(field).is_some_and(|value| !value.is_null())
    }

    /// A number, if the field is present.
    pub(super) fn optional_number(&mut self, field: &str) -> Result<Option<f64>, FieldError> {
        self.take(field).map(|value| number(field, &value)).transpose()
    }

    /// A number.
    pub(super) fn number(&mut self, field: &str) -> Result<f64, FieldError> {
        self.optional_number(field)?.ok_or_else(|| missing(field))
    }

    /// A whole number of at least 0, if the field is present.
    pub(super) fn optional_count(&mut self, field: &str) -> Result<Option<u64>, FieldError> {
        let read = |value: Value| {
            value
                .as_u64()
                .ok_or_else(|| FieldError::new(field, format!("expected a whole number, found {value}")))
        };
        self.take(field).map(read).transpose()
    }

    /// A whole number of at least 0.
    pub(super) fn count(&mut self, field: &str) -> Result<u64, FieldError> {
        self.optional_count(field)?.ok_or_else(|| missing(field))
    }

    /// A list of numbers.
    pub(super) fn numbers(&mut self, field: &str) -> Result<Vec<f64>, FieldError> {
        match self.take(field) {
            Some(Value::Array(values)) => values.iter().map(|value| number(field, value)).collect(),
            Some(value) => Err(FieldError::new(
                field,
                format!("expected a list of numbers, found {value}"),
            )),
            None => Err(missing(field)),
        }
    }

    /// One of the given keywords; returns its value.
    pub(super) fn keyword<T: Copy>(&mut self, field: &str, keywords: &[(&str, T)]) -> Result<T, FieldError> {
        let expected = || {
            keywords
                .iter()
                .map(|(keyword, _)| format!("{keyword:?}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let Some(value) = self.take(field) else {
            return Err(FieldError::new(
                field,
                format!("is missing: expected one of {}", expected()),
            ));
        };
        let found = keywords.iter().find(|(keyword, _)| value.as_str() == Some(keyword));
        found
            .map(|&(_, meaning)| meaning)
            .ok_or_else(|| FieldError::new(field, format!("expected one of {}, found {value}", expected())))
    }

    /// Checks that no field is left.
    pub(super) fn finish(self) -> Result<(), FieldError> {
        match self.0.into_iter().find(|(_, value)| !value.is_null()) {
            Some((field, _)) => Err(FieldError::new(
                &field,
                "is unknown, or cannot be combined with the other fields",
            )),
            None => Ok(()),
        }
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.0.remove(field).filter(|value| !value.is_null())
    }
}

fn number(field: &str, value: &Value) -> Result<f64, FieldError> {
    value
        .as_f64()
        .ok_or_else(|| FieldError::new(field, format!("expected a number, found {value}")))
}

fn missing(field: &str) -> FieldError {
    FieldError::new(field, "is missing")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: &Value) -> FieldReader {
        FieldReader::new(value.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn errors_name_their_field() {
        let mut reader = fields(&json!({"alpha": "x", "votes": 1.5, "constants": 3, "method": "magic", "more": 1}));
        assert_eq!(
            reader.number("alpha"),
            Err(FieldError::new("alpha", "expected a number, found \"x\""))
        );
        assert_eq!(
            reader.count("votes"),
            Err(FieldError::new("votes", "expected a whole number, found 1.5"))
        );
        assert_eq!(reader.number("sigma"), Err(FieldError::new("sigma", "is missing")));
        assert!(reader.numbers("constants").is_err());
        let method = reader.keyword("method", &[("tight", 1), ("theorem2", 2)]);
        assert_eq!(
            method,
            Err(FieldError::new(
                "method",
                "expected one of \"tight\", \"theorem2\", found \"magic\""
            ))
        );
        assert_eq!(reader.finish().map_err(|error| error.field), Err(Some("more".into())));
    }

    #[test]
    fn a_null_field_counts_as_absent() -> Result<(), FieldError> {
        let mut reader = fields(&json!({"p_upper": null, "other": null}));
        assert_eq!(reader.optional_number("p_upper")?, None);
        reader.finish()
    }
}
