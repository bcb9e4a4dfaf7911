//! One JSON object, read field by field, so that whatever is wrong is told by its name.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::certificate::CertificateError;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FieldError {
    /// The field; none if the line as a whole is wrong.
    pub field: Option<String>,
    /// What was expected.
    pub message: String,
}

impl FieldError {
    pub(crate) fn new(field: &str, message: impl Into<String>) -> Self {
        Self {
            field: Some(field.to_owned()),
            message: message.into(),
        }
    }

    pub(crate) fn line(message: impl Into<String>) -> Self {
        Self {
            field: None,
            message: message.into(),
        }
    }
}

/// Puts the name of a field on an error of the mathematics.
pub(crate) fn wrong(field: &'static str) -> impl Fn(CertificateError) -> FieldError {
    move |error| FieldError::new(field, error.to_string())
}

/// The fields of an object that were not read yet.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn new(object: Map<String, Value>) -> Self {
        Self(object)
    }

    /// Whether the field is there and not null.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.get(field).is_some_and(|value| !value.is_null())
    }

    /// A number, if the field is there.
    pub(crate) fn optional_number(&mut self, field: &str) -> Result<Option<f64>, FieldError> {
        self.take(field).map(|value| number(field, &value)).transpose()
    }

    /// A number.
    pub(crate) fn number(&mut self, field: &str) -> Result<f64, FieldError> {
        self.optional_number(field)?.ok_or_else(|| missing(field))
    }

    /// A whole number, if the field is there.
    pub(crate) fn optional_count(&mut self, field: &str) -> Result<Option<u64>, FieldError> {
        let read = |value: Value| {
            value
                .as_u64()
                .ok_or_else(|| FieldError::new(field, format!("expected a whole number, found {value}")))
        };
        self.take(field).map(read).transpose()
    }

    /// A whole number.
    pub(crate) fn count(&mut self, field: &str) -> Result<u64, FieldError> {
        self.optional_count(field)?.ok_or_else(|| missing(field))
    }

    /// A list of numbers.
    pub(crate) fn numbers(&mut self, field: &str) -> Result<Vec<f64>, FieldError> {
        match self.take(field) {
            Some(Value::Array(values)) => values.iter().map(|value| number(field, value)).collect(),
            Some(value) => Err(FieldError::new(
                field,
                format!("expected a list of numbers, found {value}"),
            )),
            None => Err(missing(field)),
        }
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(&mut self, field: &str, words: &[(&str, T)]) -> Result<T, FieldError> {
        let known = || {
            words
                .iter()
                .map(|(word, _)| format!("{word:?}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let Some(value) = self.take(field) else {
            return Err(FieldError::new(
                field,
                format!("is missing: expected one of {}", known()),
            ));
        };
        let found = words.iter().find(|(word, _)| value.as_str() == Some(word));
        let meaning = found.map(|&(_, meaning)| meaning);
        meaning.ok_or_else(|| FieldError::new(field, format!("expected one of {}, found {value}", known())))
    }

    /// The end: nothing may be left.
    pub(crate) fn finish(self) -> Result<(), FieldError> {
        match self.0.into_iter().find(|(_, value)| !value.is_null()) {
            Some((field, _)) => Err(FieldError::new(
                &field,
                "is not known here, or does not go with the other fields",
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

    fn fields(value: &Value) -> Fields {
        Fields::new(value.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn what_is_wrong_is_told_by_name() {
        let mut read = fields(&json!({"alpha": "x", "votes": 1.5, "constants": 3, "method": "magic", "more": 1}));
        assert_eq!(
            read.number("alpha"),
            Err(FieldError::new("alpha", "expected a number, found \"x\""))
        );
        assert_eq!(
            read.count("votes"),
            Err(FieldError::new("votes", "expected a whole number, found 1.5"))
        );
        assert_eq!(read.number("sigma"), Err(FieldError::new("sigma", "is missing")));
        assert!(read.numbers("constants").is_err());
        let word = read.word("method", &[("tight", 1), ("theorem2", 2)]);
        assert_eq!(
            word,
            Err(FieldError::new(
                "method",
                "expected one of \"tight\", \"theorem2\", found \"magic\""
            ))
        );
        assert_eq!(read.finish().map_err(|error| error.field), Err(Some("more".into())));
    }

    #[test]
    fn null_is_the_same_as_absent() -> Result<(), FieldError> {
        let mut read = fields(&json!({"p_upper": null, "other": null}));
        assert_eq!(read.optional_number("p_upper")?, None);
        read.finish()
    }
}
