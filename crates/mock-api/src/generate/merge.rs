//! Two schemas that both hold, as one.

use serde_json::{Map, Value, json};

/// Adds to a schema what another one demands besides.
pub fn into(flat: &mut Map<String, Value>, more: Map<String, Value>) {
    for (keyword, value) in more {
        match flat.remove(&keyword) {
            None => flat.insert(keyword, value),
            Some(known) => {
                let both = both(&keyword, known, value);
                flat.insert(keyword, both)
            }
        };
    }
}

fn both(keyword: &str, known: Value, more: Value) -> Value {
    match (keyword, known, more) {
        ("properties" | "patternProperties" | "dependentRequired", Value::Object(mut known), Value::Object(more)) => {
            for (name, schema) in more {
                let schema = match known.remove(&name) {
                    Some(first) => all_of(first, schema),
                    None => schema,
                };
                known.insert(name, schema);
            }
            Value::Object(known)
        }
        ("required", Value::Array(mut known), Value::Array(more)) => {
            known.extend(more);
            known.dedup();
            Value::Array(known)
        }
        ("enum", Value::Array(mut known), Value::Array(more)) => {
            known.retain(|value| more.contains(value));
            Value::Array(known)
        }
        ("type", known, more) => types(known, more),
        ("minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties", known, more) => {
            if more.as_f64() > known.as_f64() { more } else { known }
        }
        ("maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties", known, more) => {
            if more.as_f64() < known.as_f64() { more } else { known }
        }
        ("items", known, more) => all_of(known, more),
        ("additionalProperties", Value::Bool(false), _) | ("additionalProperties", _, Value::Bool(false)) => {
            Value::Bool(false)
        }
        ("additionalProperties", known @ Value::Object(_), more @ Value::Object(_)) => all_of(known, more),
        ("additionalProperties", Value::Bool(true), more) => more,
        ("uniqueItems", known, more) => Value::Bool(known == Value::Bool(true) || more == Value::Bool(true)),
        (_, known, _) => known,
    }
}

fn all_of(one: Value, other: Value) -> Value {
    if one == other { one } else { json!({"allOf": [one, other]}) }
}

/// The types that both allow; a whole number is a number.
fn types(known: Value, more: Value) -> Value {
    let list = |value: Value| match value {
        Value::Array(list) => list,
        one => vec![one],
    };
    let (known, more) = (list(known), list(more));
    let mut both: Vec<Value> = known.iter().filter(|one| more.contains(one)).cloned().collect();
    let has = |list: &[Value], name: &str| list.iter().any(|one| one == name);
    if (has(&known, "integer") && has(&more, "number")) || (has(&known, "number") && has(&more, "integer")) {
        both.retain(|one| one != "number");
        both.push("integer".into());
    }
    if both.len() == 1 { both.remove(0) } else { Value::Array(both) }
}
