//! Bodies of requests, read and checked.

use serde_json::{Map, Value};

use crate::document::{Document, Schema};
use crate::negotiate::{covers, essence, is_json};
use crate::operation::{Body, Operation};
use crate::parameters::{MAX_FAULTS, short};
use crate::problem::{Fault, Problem};
use crate::shape::{Shape, coerce, shape};
use crate::snapshot::RequestSnapshot;

/// A body as far as it can be read: JSON and forms.
pub fn read(seen: &RequestSnapshot) -> Option<Value> {
    let media = seen.header("content-type").unwrap_or_default();
    if is_json(media) {
        return serde_json::from_slice(&seen.body).ok();
    }
    (essence(media) == FORM).then(|| form(seen, &Shape::default()))
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Whether a body is of a kind that is taken.
///
/// # Errors
/// 415 if it is not.
pub fn check_media(operation: &Operation, seen: &RequestSnapshot) -> Result<(), Problem> {
    let Some(body) = operation.body.as_ref().filter(|body| !seen.body.is_empty() && !body.content.is_empty()) else {
        return Ok(());
    };
    let names: Vec<&str> = body.content.iter().map(|(name, _)| name.as_str()).collect();
    let given = seen.header("content-type").filter(|given| !given.trim().is_empty());
    let Some(given) = given else {
        return Err(Problem::new(415, format!("the body has no Content-Type; there may be {}", names.join(", "))));
    };
    match entry(body, given) {
        Some(_) => Ok(()),
        None => {
            let why = format!("bodies of {} are not taken; those of {} are", essence(given), names.join(", "));
            Err(Problem::new(415, why))
        }
    }
}

fn entry<'a>(body: &'a Body, given: &str) -> Option<&'a (String, Option<Schema>)> {
    let exactly = body.content.iter().find(|(name, _)| essence(name) == essence(given));
    exactly.or_else(|| body.content.iter().find(|(range, _)| covers(range, given)))
}

/// What is wrong with a body.
pub fn check(operation: &Operation, seen: &RequestSnapshot, faults: &mut Vec<Fault>) {
    let Some(body) = &operation.body else { return };
    if seen.body.is_empty() {
        if body.required {
            faults.push(Fault::body("", "is required"));
        }
        return;
    }
    let given = seen.header("content-type").unwrap_or_default();
    let Some((_, schema)) = entry(body, given) else { return };
    let value = if is_json(given) {
        match serde_json::from_slice::<Value>(&seen.body) {
            Ok(value) => value,
            Err(why) => {
                faults.push(Fault::body("", format!("is no JSON: {why}")));
                return;
            }
        }
    } else if essence(given) == FORM {
        let meant = schema.as_ref().and_then(|schema| operation.document.schema(schema));
        form(seen, &meant.map_or_else(Shape::default, |schema| shape(operation.document.root(), schema)))
    } else {
        // Of bytes, several parts and XML the kind alone is checked.
        return;
    };
    if let Some(schema) = schema {
        check_value(&operation.document, schema, &value, faults);
    }
}

fn check_value(document: &Document, schema: &Schema, value: &Value, faults: &mut Vec<Fault>) {
    let Ok(validator) = document.validator(schema) else { return };
    for fault in validator.iter_errors(value).take(MAX_FAULTS.saturating_sub(faults.len())) {
        faults.push(Fault::body(fault.instance_path().to_string(), short(fault.to_string())));
    }
}

/// The members of a form; one that is there several times is a list.
fn form(seen: &RequestSnapshot, shape: &Shape) -> Value {
    let mut members: Map<String, Value> = Map::new();
    for (name, value) in url::form_urlencoded::parse(&seen.body) {
        let inner = shape.property(&name);
        if inner.is("array") {
            let list = members.entry(name.as_ref()).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(coerce(&inner.item(), &value));
            }
        } else {
            members.insert(name.into_owned(), coerce(&inner, &value));
        }
    }
    Value::Object(members)
}
