//! How are the fields of a request written down?
//!
//! Each with all its values, or as a text if there is only one: so `blackbox_exporter`'s example has it.

use std::borrow::Cow;
use std::fmt;

use leadsman_dial::credentials::FieldValues;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The values of one field.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Field(pub(crate) FieldValues);

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, or `values`, `secrets` and `files`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Field, E> {
        Ok(Field(FieldValues {
            values: vec![text.to_owned()],
            ..FieldValues::default()
        }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field, A::Error> {
        FieldValues::deserialize(MapAccessDeserializer::new(map)).map(Field)
    }
}

impl JsonSchema for Field {
    fn schema_name() -> Cow<'static, str> {
        "Field".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let values = generator.subschema_for::<FieldValues>();
        json_schema!({ "anyOf": [{ "type": "string" }, values] })
    }
}
