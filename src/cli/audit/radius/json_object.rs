//! Parses a line as a JSON object, and rejects duplicate keys.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::field_reader::FieldError;

/// A JSON object, and the first key that occurs twice.
struct ObjectWithDuplicate {
    fields: Map<String, Value>,
    duplicate: Option<String>,
}

impl<'de> Deserialize<'de> for ObjectWithDuplicate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = ObjectWithDuplicate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ObjectWithDuplicate, A::Error> {
        let (mut fields, mut duplicate) = (Map::new(), None);
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value::<Value>().map_err(A::Error::custom)?;
            if fields.insert(key.clone(), value).is_some() && duplicate.is_none() {
                duplicate = Some(key);
            }
        }
        Ok(ObjectWithDuplicate { fields, duplicate })
    }
}

/// Parses a line. `serde_json` by itself accepts a duplicate key and keeps the last value.
pub(super) fn parse_object(line: &str) -> Result<Map<String, Value>, FieldError> {
    let object: ObjectWithDuplicate =
        serde_json::from_str(line).map_err(|error| FieldError::line(error.to_string()))?;
    match object.duplicate {
        Some(key) => Err(FieldError::new(&key, "occurs twice")),
        None => Ok(object.fields),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duplicate_key_is_named() {
        let line = r#"{"alpha": 0.6, "sigma": 1, "alpha": 0.9}"#;
        assert_eq!(parse_object(line), Err(FieldError::new("alpha", "occurs twice")));
        // Even if both values are equal.
        assert_eq!(
            parse_object(r#"{"id": 1, "id": 1}"#),
            Err(FieldError::new("id", "occurs twice"))
        );
        assert_eq!(parse_object(r#"{"a": 1, "b": 2}"#).map(|fields| fields.len()), Ok(2));
        assert_eq!(parse_object("[1]").map_err(|error| error.field), Err(None));
    }
}
