//! Schemas of OpenAPI 3.0 as JSON Schema 2020-12, and any schema as it reads in one direction.

use serde_json::{Map, Value, json};

use crate::int64;
use crate::json_pointer::escaped;

/// In which language a document's schemas are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAPI 3.0: almost JSON Schema.
    OpenApi30,
    /// OpenAPI 3.1 and later: JSON Schema 2020-12.
    JsonSchema,
}

/// Whether a schema says what may come or what may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Request,
    Answer,
}

impl Direction {
    /// The name under which validators know the document.
    pub const fn base(self) -> &'static str {
        match self {
            Self::Request => "mock://document/requests",
            Self::Answer => "mock://document/answers",
        }
    }

    /// What such properties say that are not there in this direction.
    pub const fn absent(self) -> &'static str {
        match self {
            Self::Request => "readOnly",
            Self::Answer => "writeOnly",
        }
    }
}

/// A place, and what is wrong there.
type Fault = (String, String);

struct Translator<'a> {
    root: &'a Value,
    dialect: Dialect,
    direction: Direction,
    faults: Vec<Fault>,
}

/// A document with all its schemas translated, and what in them means nothing. That is left out of the translation, so that
/// one odd detail costs no more than itself.
pub fn translate(root: &Value, dialect: Dialect, direction: Direction) -> (Value, Vec<Fault>) {
    let mut translated = root.clone();
    let mut translator = Translator { root, dialect, direction, faults: Vec::new() };
    translator.outside(&mut translated, "", Holder::Other);
    (translated, translator.faults)
}

/// What an object's members are, outside of schemas.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// Names given by the author, each of a thing that is not a schema.
    Names,
    /// Names given by the author, each of a schema.
    Schemas,
    /// Keywords.
    Other,
}

/// Keywords whose value is a schema, or a list of them.
const SUBSCHEMAS: [&str; 16] = [
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
    "allOf",
    "anyOf",
    "oneOf",
    "prefixItems",
    "additionalItems",
];

/// Keywords whose value has a schema for each name.
const NAMED_SUBSCHEMAS: [&str; 5] = ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"];

const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "object", "array", "null"];

impl Translator<'_> {
    fn outside(&mut self, value: &mut Value, pointer: &str, holder: Holder) {
        let members = match value {
            Value::Object(members) => members,
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.outside(item, &format!("{pointer}/{at}"), Holder::Other);
                }
                return;
            }
            _ => return,
        };
        for (name, value) in members {
            let below = format!("{pointer}/{}", escaped(name));
            match (holder, name.as_str()) {
                (Holder::Schemas, _) => self.schema(value, &below),
                (Holder::Names, _) => self.outside(value, &below, Holder::Other),
                (Holder::Other, "schema") => self.schema(value, &below),
                (Holder::Other, "schemas") => self.outside(value, &below, Holder::Schemas),
                (Holder::Other, "example" | "examples" | "default") => {}
                (Holder::Other, extension) if extension.starts_with("x-") => {}
                (
                    Holder::Other,
                    "paths" | "headers" | "parameters" | "responses" | "requestBodies" | "content" | "callbacks"
                    | "webhooks" | "pathItems" | "links" | "securitySchemes" | "encoding",
                ) if value.is_object() => self.outside(value, &below, Holder::Names),
                (Holder::Other, _) => self.outside(value, &below, Holder::Other),
            }
        }
    }

    fn schema(&mut self, value: &mut Value, pointer: &str) {
        let Value::Object(schema) = value else {
            if !value.is_boolean() {
                self.faults.push((pointer.to_owned(), "a schema is an object".to_owned()));
                *value = Value::Object(Map::new());
            }
            return;
        };
        // OpenAPI 3.0.3, Reference Object: what stands beside a reference counts for nothing.
        if self.dialect == Dialect::OpenApi30 && schema.contains_key("$ref") {
            schema.retain(|name, _| name == "$ref");
            return;
        }
        while let Some((keyword, why)) = fault(schema) {
            schema.remove(keyword);
            self.faults.push((format!("{pointer}/{keyword}"), why));
        }
        for (name, value) in schema.iter_mut() {
            let below = format!("{pointer}/{}", escaped(name));
            match value {
                Value::Object(members) if NAMED_SUBSCHEMAS.contains(&name.as_str()) => {
                    for (name, value) in members {
                        self.schema(value, &format!("{below}/{}", escaped(name)));
                    }
                }
                Value::Array(items) if SUBSCHEMAS.contains(&name.as_str()) => {
                    for (at, value) in items.iter_mut().enumerate() {
                        self.schema(value, &format!("{below}/{at}"));
                    }
                }
                _ if SUBSCHEMAS.contains(&name.as_str()) => self.schema(value, &below),
                _ => {}
            }
        }
        self.hide(schema);
        bound(schema);
        if self.dialect == Dialect::OpenApi30 {
            modern(schema);
        }
    }

    /// What is not there in this direction is not required in it.
    fn hide(&self, schema: &mut Map<String, Value>) {
        let Some(Value::Object(properties)) = schema.get("properties") else { return };
        let hidden: Vec<String> =
            properties.iter().filter(|(_, property)| self.is_absent(property)).map(|(name, _)| name.clone()).collect();
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            required.retain(|name| !hidden.iter().any(|hidden| name == hidden));
        }
    }

    fn is_absent(&self, property: &Value) -> bool {
        let says = |schema: &Value| schema.get(self.direction.absent()) == Some(&Value::Bool(true));
        let target = property.get("$ref").and_then(Value::as_str).and_then(crate::json_pointer::local);
        says(property) || target.and_then(|at| self.root.pointer(&at)).is_some_and(says)
    }
}

/// A keyword that would make no validator, or one that says yes to everything, and why.
fn fault(schema: &Map<String, Value>) -> Option<(&'static str, String)> {
    let fault = |keyword: &'static str, why: String| Some((keyword, why));
    let types = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    if let Some(wrong) = types.into_iter().find(|name| !name.as_str().is_some_and(|name| TYPES.contains(&name))) {
        return fault("type", format!("{wrong} is no type; there are {}", TYPES.join(", ")));
    }
    for keyword in ["properties", "patternProperties"] {
        if schema.get(keyword).is_some_and(|value| !value.is_object()) {
            return fault(keyword, "must be an object".to_owned());
        }
    }
    // An empty `enum` is allowed (JSON Schema 2020-12 Validation §6.1.2): no value meets it.
    if schema.get("enum").is_some_and(|value| !value.is_array()) {
        return fault("enum", "must be a list".to_owned());
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        if schema.get(keyword).is_some_and(|value| value.as_array().is_none_or(Vec::is_empty)) {
            return fault(keyword, "must be a list that is not empty".to_owned());
        }
    }
    if schema.get("required").is_some_and(|value| !value.is_array() && !value.is_boolean()) {
        return fault("required", "must be a list of names".to_owned());
    }
    for keyword in ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"] {
        if schema.get(keyword).is_some_and(|value| !value.as_f64().is_some_and(|number| number >= 0.0)) {
            return fault(keyword, "must be a number that is not negative".to_owned());
        }
    }
    if let Some(pattern) = schema.get("pattern") {
        let compiled = jsonschema::options().build(&json!({"pattern": pattern}));
        if let Err(why) = compiled {
            return fault("pattern", why.to_string());
        }
    }
    None
}

/// OpenAPI, Data Types: `int32` and `int64` have bounds, which validators of JSON Schema do not know.
fn bound(schema: &mut Map<String, Value>) {
    match schema.get("format").and_then(Value::as_str) {
        Some("int32") => {}
        Some("int64") => {
            schema.insert(int64::KEYWORD.to_owned(), true.into());
            return;
        }
        _ => return,
    }
    if !["minimum", "exclusiveMinimum"].iter().any(|keyword| schema.contains_key(*keyword)) {
        schema.insert("minimum".to_owned(), i32::MIN.into());
    }
    if !["maximum", "exclusiveMaximum"].iter().any(|keyword| schema.contains_key(*keyword)) {
        schema.insert("maximum".to_owned(), i32::MAX.into());
    }
}

/// OpenAPI 3.0.3, Schema Object, in the words of JSON Schema 2020-12.
fn modern(schema: &mut Map<String, Value>) {
    // A property's own `required: true` is a common slip, and means nothing.
    if schema.get("required").is_some_and(Value::is_boolean) {
        schema.remove("required");
    }
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        match schema.get(exclusive) {
            Some(Value::Bool(true)) => {
                schema.remove(exclusive);
                if let Some(number) = schema.remove(bound) {
                    schema.insert(exclusive.to_owned(), number);
                }
            }
            Some(Value::Bool(false)) => {
                schema.remove(exclusive);
            }
            _ => {}
        }
    }
    if schema.remove("nullable") == Some(Value::Bool(true)) {
        match schema.get("type") {
            Some(Value::String(name)) => {
                let both = json!([name, "null"]);
                schema.insert("type".to_owned(), both);
                if let Some(Value::Array(values)) = schema.get_mut("enum")
                    && !values.contains(&Value::Null)
                {
                    values.push(Value::Null);
                }
            }
            _ => {
                let inner = Value::Object(std::mem::take(schema));
                schema.insert("anyOf".to_owned(), json!([inner, {"type": "null"}]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(schema: Value, dialect: Dialect, direction: Direction) -> Value {
        let root = json!({"components": {"schemas": {"A": schema, "Read": {"type": "string", "readOnly": true}}}});
        let (all, faults) = translate(&root, dialect, direction);
        assert!(faults.is_empty(), "{faults:?}");
        all["components"]["schemas"]["A"].clone()
    }

    #[test]
    fn openapi_30_becomes_json_schema() {
        let modern = |schema| translated(schema, Dialect::OpenApi30, Direction::Request);
        assert_eq!(modern(json!({"type": "string", "nullable": true})), json!({"type": ["string", "null"]}));
        assert_eq!(
            modern(json!({"type": "string", "enum": ["a"], "nullable": true})),
            json!({"type": ["string", "null"], "enum": ["a", null]})
        );
        assert_eq!(
            modern(json!({"nullable": true, "allOf": [{"type": "object"}]})),
            json!({"anyOf": [{"allOf": [{"type": "object"}]}, {"type": "null"}]})
        );
        assert_eq!(
            modern(json!({"minimum": 1, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false})),
            json!({"exclusiveMinimum": 1, "maximum": 9})
        );
        assert_eq!(
            modern(json!({"type": "integer", "format": "int32", "minimum": 0})),
            json!({"type": "integer", "format": "int32", "minimum": 0, "maximum": i32::MAX})
        );
        assert_eq!(
            modern(json!({"$ref": "#/components/schemas/Read", "nullable": true})),
            json!({"$ref": "#/components/schemas/Read"})
        );
        let named = json!({"properties": {"nullable": {"type": "integer", "nullable": true}, "schema": {}, "example": {"nullable": true, "type": "string"}}});
        assert_eq!(
            modern(named),
            json!({"properties": {"nullable": {"type": ["integer", "null"]}, "schema": {}, "example": {"type": ["string", "null"]}}})
        );
    }

    #[test]
    fn what_is_not_there_in_a_direction_is_not_required_in_it() {
        let schema = json!({
            "required": ["id", "secret", "name", "by"],
            "properties": {"id": {"readOnly": true}, "secret": {"writeOnly": true}, "name": {}, "by": {"$ref": "#/components/schemas/Read"}},
        });
        let required = |direction| translated(schema.clone(), Dialect::JsonSchema, direction)["required"].clone();
        assert_eq!(required(Direction::Request), json!(["secret", "name"]));
        assert_eq!(required(Direction::Answer), json!(["id", "name", "by"]));
    }

    #[test]
    fn examples_are_left_alone() {
        let schema = json!({"type": "object", "example": {"nullable": true, "type": "x", "schema": {"type": "y"}}});
        assert_eq!(translated(schema.clone(), Dialect::OpenApi30, Direction::Answer), schema);
    }
}
