//! What kind of value a schema means, for values that come as text.

use serde_json::Value;

use crate::json_pointer;

/// The types that a schema allows, and those inside of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape {
    types: Vec<String>,
    items: Option<Box<Shape>>,
    pub properties: Vec<(String, Shape)>,
    extra: Option<Box<Shape>>,
}

const DEEPEST: usize = 8;

/// The shape of a schema, references followed.
pub fn shape(root: &Value, schema: &Value) -> Shape {
    let mut shape = Shape::default();
    collect(root, schema, &mut shape, 0);
    shape
}

fn collect(root: &Value, schema: &Value, shape: &mut Shape, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(json_pointer::local) {
        root.pointer(&target).into_iter().for_each(|target| collect(root, target, shape, depth + 1));
    }
    let inner = |schema: &Value| {
        let mut shape = Shape::default();
        collect(root, schema, &mut shape, depth + 1);
        shape
    };
    match schema.get("type") {
        Some(Value::String(one)) => shape.types.push(one.clone()),
        Some(Value::Array(some)) => shape.types.extend(some.iter().filter_map(Value::as_str).map(str::to_owned)),
        _ => {
            let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten().chain(schema.get("const"));
            shape.types.extend(values.map(|value| kind(value).to_owned()));
            let hints = [("items", "array"), ("properties", "object")];
            shape.types.extend(
                hints.iter().filter(|(word, _)| schema.get(*word).is_some()).map(|(_, kind)| (*kind).to_owned()),
            );
        }
    }
    if let Some(items) = schema.get("items") {
        shape.items = Some(Box::new(inner(items)));
    }
    if let Some(Value::Object(properties)) = schema.get("properties") {
        shape.properties.extend(properties.iter().map(|(name, schema)| (name.clone(), inner(schema))));
    }
    if let Some(extra @ Value::Object(_)) = schema.get("additionalProperties") {
        shape.extra = Some(Box::new(inner(extra)));
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let some = schema.get(keyword).and_then(Value::as_array).into_iter().flatten();
        some.for_each(|one| collect(root, one, shape, depth + 1));
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl Shape {
    pub fn is(&self, kind: &str) -> bool {
        self.types.iter().any(|known| known == kind)
    }

    pub fn item(&self) -> Self {
        self.items.as_deref().cloned().unwrap_or_default()
    }

    pub fn property(&self, name: &str) -> Self {
        let known = self.properties.iter().find(|(known, _)| known == name).map(|(_, shape)| shape.clone());
        known.or_else(|| self.extra.as_deref().cloned()).unwrap_or_default()
    }
}

/// A text as the value that it is meant to be, or as the text that it is.
pub fn coerce(shape: &Shape, text: &str) -> Value {
    if (shape.is("integer") || shape.is("number"))
        && is_number(text)
        && let Ok(number @ Value::Number(_)) = serde_json::from_str(text)
    {
        return number;
    }
    match text {
        "true" | "false" if shape.is("boolean") => Value::Bool(text == "true"),
        "null" | "" if shape.is("null") && !shape.is("string") => Value::Null,
        _ => Value::String(text.to_owned()),
    }
}

/// As JSON writes them, without space around.
fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_become_what_is_meant() {
        let read = |schema: Value, text: &str| coerce(&shape(&json!({"A": {"type": "integer"}}), &schema), text);
        assert_eq!(read(json!({"type": "integer"}), "7"), json!(7));
        assert_eq!(read(json!({"$ref": "#/A"}), "7"), json!(7));
        assert_eq!(read(json!({"anyOf": [{"type": "boolean"}, {"type": "number"}]}), "1.5"), json!(1.5));
        assert_eq!(read(json!({"type": "boolean"}), "true"), json!(true));
        assert_eq!(read(json!({"type": ["integer", "null"]}), "null"), json!(null));
        assert_eq!(read(json!({"enum": [1, 2]}), "2"), json!(2));
        for (kind, text) in [("integer", "x"), ("integer", " 7"), ("integer", ""), ("boolean", "True"), ("string", "7")]
        {
            assert_eq!(read(json!({"type": kind}), text), json!(text), "{kind} {text}");
        }
    }
}
