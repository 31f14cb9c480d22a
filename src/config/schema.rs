//! JSON Schema of the site file, for editors.

use serde_json::{Map, Value, json};

use super::keys::{self, Key, Kind};

/// The schema (draft 2020-12) of a site file.
#[must_use]
pub fn site() -> Value {
    let mut schema = object(keys::SITE);
    let fields = schema.as_object_mut().expect("an object schema is an object");
    fields.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    fields.insert("title".into(), json!("cookie-firewall site"));
    fields.insert(
        "description".into(),
        json!("One portal: its domain, its upstream, and its cookie charter."),
    );
    schema
}

fn object(keys: &[Key]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| {
            let mut property = schema_of(key.kind);
            if let Some(fields) = property.as_object_mut() {
                fields.insert("description".into(), json!(key.doc));
            }
            (key.name.to_owned(), property)
        })
        .collect();
    let required: Vec<_> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn schema_of(kind: Kind) -> Value {
    let strings = json!({ "type": "array", "items": { "type": "string" } });
    match kind {
        Kind::String => json!({ "type": "string" }),
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer => json!({ "type": "integer", "minimum": 1 }),
        Kind::Duration => json!({ "type": "string", "examples": ["14 days", "13 months"] }),
        Kind::Strings => strings,
        Kind::Number => json!({ "type": "integer", "minimum": 0 }),
        Kind::Items(keys) => {
            let item = json!({ "oneOf": [{ "type": "string" }, object(keys)] });
            json!({ "oneOf": [item, { "type": "array", "items": item, "minItems": 1 }] })
        }
        Kind::Map => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Lists => json!({ "type": "object", "additionalProperties": strings }),
        Kind::Table(keys) => object(keys),
        Kind::Tables(keys) => json!({ "type": "array", "items": object(keys) }),
    }
}
