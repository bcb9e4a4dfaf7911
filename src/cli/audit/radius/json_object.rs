//! A line as a JSON object whose keys are all different.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::cli::audit::radius::field_reader::FieldError;

/// An object, and the first key that was there before.
struct Object {
    fields: Map<String, Value>,
    twice: Option<String>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let (mut fields, mut twice) = (Map::new(), None);
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value::<Value>().map_err(A::Error::custom)?;
            if fields.insert(key.clone(), value).is_some() && twice.is_none() {
                twice = Some(key);
            }
        }
        Ok(Object { fields, twice })
    }
}

/// Reads a line. `serde_json` by itself would let the last of two values under one key win.
pub(crate) fn read(line: &str) -> Result<Map<String, Value>, FieldError> {
    let object: Object = serde_json::from_str(line).map_err(|error| FieldError::line(error.to_string()))?;
    match object.twice {
        Some(key) => Err(FieldError::new(&key, "is there twice")),
        None => Ok(object.fields),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_there_twice_is_named() {
        let line = r#"{"alpha": 0.6, "sigma": 1, "alpha": 0.9}"#;
        assert_eq!(read(line), Err(FieldError::new("alpha", "is there twice")));
        // Even with one value.
        assert_eq!(
            read(r#"{"id": 1, "id": 1}"#),
            Err(FieldError::new("id", "is there twice"))
        );
        assert_eq!(read(r#"{"a": 1, "b": 2}"#).map(|fields| fields.len()), Ok(2));
        assert_eq!(read("[1]").map_err(|error| error.field), Err(None));
    }
}
