//! The configuration file as a JSON Schema, for editors and for checks before a deployment.

use serde_json::{Map, Value, json};

use super::keys::{Key, Rule};
use super::sections::SECTIONS;

/// A schema (draft 2020-12) of the TOML file: an object a section, with type, bounds, default and description of each setting.
pub fn schema() -> Value {
    let mut sections = Map::new();
    for section in SECTIONS {
        let keys: Map<String, Value> = section.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
        let about = sentence(section.about);
        let section_schema =
            json!({"type": "object", "description": about, "additionalProperties": false, "properties": keys});
        sections.insert(section.name.to_owned(), section_schema);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The configuration of Latchway",
        "type": "object",
        "additionalProperties": false,
        "properties": sections,
    })
}

fn property(key: &Key) -> Value {
    let mut property = match key.rule {
        Rule::Switch => json!({"type": "boolean"}),
        Rule::Number { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Rule::OneOf(choices) => json!({"type": "string", "enum": choices}),
        Rule::AnyOf(choices) => json!({"type": "array", "items": {"type": "string", "enum": choices}}),
        Rule::Networks | Rule::Origins | Rule::RouteLimits => json!({"type": "array", "items": {"type": "string"}}),
        Rule::Line => json!({"type": "string", "minLength": 1}),
        Rule::Secret => json!({"type": "string", "writeOnly": true}),
        Rule::Text
        | Rule::Address
        | Rule::AddressOrEmpty
        | Rule::WebUrlOrEmpty
        | Rule::EmailOrEmpty
        | Rule::ContactOrEmpty
        | Rule::RateText => json!({"type": "string"}),
    };
    property["description"] = Value::String(sentence(key.doc));
    let written = format!("{} = {}", key.name, key.default);
    // The one setting without a default has no value in TOML either.
    if let Ok(mut table) = written.parse::<toml::Table>()
        && let Some(Ok(default)) = table.remove(key.name).map(serde_json::to_value)
    {
        property["default"] = default;
    }
    property
}

fn sentence(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}
