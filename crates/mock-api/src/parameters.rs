//! Values of parameters, read as their styles say, and checked.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::document::Document;
use crate::operation::{Operation, Parameter, Place, Style};
use crate::problem::Fault;
use crate::shape::{Shape, coerce, shape};
use crate::snapshot::RequestSnapshot;

/// A fault's description is no longer than this, whatever the value in it.
const MAX_DETAIL: usize = 300;
/// No more faults than these are told.
pub const MAX_FAULTS: usize = 20;

/// The pairs of a query, names decoded and values as they came.
pub struct Raw<'a> {
    pairs: Vec<(String, &'a str)>,
}

impl<'a> Raw<'a> {
    pub fn query(query: &'a str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self { pairs: pairs.map(|(name, value)| (decoded(name), value)).collect() }
    }

    fn all(&self, name: &str) -> Vec<&'a str> {
        self.pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| *value).collect()
    }
}

/// `+` is a space here.
fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// All parameters of a request that are not as they must be.
pub fn check(operation: &Operation, seen: &RequestSnapshot, path: &[(String, String)], faults: &mut Vec<Fault>) {
    let query = Raw::query(&seen.query);
    for parameter in &operation.parameters {
        if faults.len() >= MAX_FAULTS {
            return;
        }
        let fault = |detail: String| Fault::parameter(parameter.place.as_str(), &parameter.name, detail);
        match value(&operation.document, parameter, seen, &query, path) {
            Ok(Some(value)) => check_value(&operation.document, parameter, &value, faults),
            Ok(None) if parameter.required => faults.push(fault("is required".to_owned())),
            Ok(None) => {}
            Err(why) => faults.push(fault(why.to_owned())),
        }
    }
}

/// Whether the path alone is as the operation says.
pub fn path_fits(operation: &Operation, seen: &RequestSnapshot, path: &[(String, String)]) -> bool {
    let query = Raw::query("");
    let mut faults = Vec::new();
    let of_path = operation.parameters.iter().filter(|parameter| parameter.place == Place::Path);
    of_path.into_iter().all(|parameter| {
        match value(&operation.document, parameter, seen, &query, path) {
            Ok(Some(value)) => check_value(&operation.document, parameter, &value, &mut faults),
            Ok(None) => {}
            Err(_) => return false,
        }
        faults.is_empty()
    })
}

fn check_value(document: &Document, parameter: &Parameter, value: &Value, faults: &mut Vec<Fault>) {
    let empty = value.as_str() == Some("") || value.is_null();
    if parameter.may_be_empty && empty {
        return;
    }
    let Some(schema) = &parameter.schema else { return };
    let Ok(validator) = document.validator(schema) else { return };
    for fault in validator.iter_errors(value).take(MAX_FAULTS - faults.len()) {
        faults.push(Fault {
            pointer: fault.instance_path().to_string(),
            ..Fault::parameter(parameter.place.as_str(), &parameter.name, short(fault.to_string()))
        });
    }
}

/// A text that fits into an answer.
pub fn short(text: String) -> String {
    if text.chars().count() <= MAX_DETAIL {
        return text;
    }
    let cut: String = text.chars().take(MAX_DETAIL).collect();
    format!("{cut} …")
}

const TWICE: &str = "is there more than once";
const NOT_TEXT: &str = "is not UTF-8";

fn value(
    document: &Document,
    parameter: &Parameter,
    seen: &RequestSnapshot,
    query: &Raw<'_>,
    path: &[(String, String)],
) -> Result<Option<Value>, &'static str> {
    let shape = parameter.schema.as_ref().and_then(|schema| document.schema(schema));
    let shape = shape.map_or_else(Shape::default, |schema| shape_of(document, schema));
    match parameter.place {
        Place::Query => of_query(parameter, &shape, query),
        Place::Path => {
            let Some((_, text)) = path.iter().find(|(name, _)| *name == parameter.name) else { return Ok(None) };
            let text = match parameter.style {
                Style::Label => text.strip_prefix('.').ok_or("must begin with a dot")?.replace('.', ","),
                Style::Matrix => {
                    let prefix = format!(";{}=", parameter.name);
                    text.strip_prefix(&prefix).ok_or("must begin with a semicolon and its name")?.replace(&prefix, ",")
                }
                _ => text.clone(),
            };
            simple(parameter, &shape, &text).map(Some)
        }
        Place::Header => {
            let lines: Result<Vec<&str>, _> =
                seen.headers.get_all(parameter.name.as_str()).map(|line| line.to_str()).collect();
            let lines = lines.map_err(|_| NOT_TEXT)?;
            if lines.len() > 1 && !shape.is("array") {
                return Err(TWICE);
            }
            if lines.is_empty() { Ok(None) } else { simple(parameter, &shape, &lines.join(",")).map(Some) }
        }
        Place::Cookie => {
            let lines = seen.headers.get_all("cookie").filter_map(|line| line.to_str().ok());
            let mut values = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
            let value = values.find(|(name, _)| *name == parameter.name).map(|(_, value)| value);
            value.map(|value| simple(parameter, &shape, value)).transpose()
        }
    }
}

fn shape_of(document: &Document, schema: &Value) -> Shape {
    shape(document.root(), schema)
}

fn of_query(parameter: &Parameter, shape: &Shape, query: &Raw<'_>) -> Result<Option<Value>, &'static str> {
    let name = parameter.name.as_str();
    if parameter.style == Style::DeepObject {
        let prefix = format!("{name}[");
        let mut object = Map::new();
        for (known, value) in &query.pairs {
            let inner = known.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(']'));
            if let Some(property) = inner {
                object.insert(property.to_owned(), coerce(&shape.property(property), &decoded(value)));
            }
        }
        return Ok((!object.is_empty()).then_some(Value::Object(object)));
    }
    let given = query.all(name);
    if parameter.style == Style::Json {
        return match given[..] {
            [] => Ok(None),
            [one] => serde_json::from_str(&decoded(one)).map(Some).map_err(|_| "is no JSON"),
            _ => Err(TWICE),
        };
    }
    if shape.is("object") && !shape.is("string") {
        return Ok(if parameter.explode { of_properties(shape, query) } else { pairs(shape, given.first().copied()) });
    }
    if shape.is("array") {
        if given.is_empty() {
            return Ok(None);
        }
        let separators: &[&str] = match parameter.style {
            Style::SpaceDelimited => &["%20", "+", " "],
            Style::PipeDelimited => &["|", "%7C", "%7c"],
            _ => &[","],
        };
        let items: Vec<String> = if parameter.explode && parameter.style == Style::Form {
            given.iter().map(|one| decoded(one)).collect()
        } else {
            let joined = separators.iter().fold(given.join("\n"), |text, separator| text.replace(separator, "\n"));
            joined.split('\n').map(decoded).collect()
        };
        return Ok(Some(items.iter().map(|item| coerce(&shape.item(), item)).collect()));
    }
    match given[..] {
        [] => Ok(None),
        [one] => Ok(Some(coerce(shape, &decoded(one)))),
        _ => Err(TWICE),
    }
}

/// Each property is a parameter by itself.
fn of_properties(shape: &Shape, query: &Raw<'_>) -> Option<Value> {
    let known = shape.properties.iter().filter_map(|(name, inner)| {
        let value = query.all(name).first().map(|value| coerce(inner, &decoded(value)))?;
        Some((name.clone(), value))
    });
    let object: Map<String, Value> = known.collect();
    (!object.is_empty()).then_some(Value::Object(object))
}

/// `a,1,b,2`
fn pairs(shape: &Shape, text: Option<&str>) -> Option<Value> {
    let words: Vec<String> = text?.split(',').map(decoded).collect();
    let pair = |pair: &[String]| match pair {
        [name, value] => Some((name.clone(), coerce(&shape.property(name), value))),
        _ => None,
    };
    words.chunks(2).map(pair).collect::<Option<Map<_, _>>>().map(Value::Object)
}

/// A value in one piece: of a path, a header or a cookie.
fn simple(parameter: &Parameter, shape: &Shape, text: &str) -> Result<Value, &'static str> {
    if parameter.style == Style::Json {
        return serde_json::from_str(text).map_err(|_| "is no JSON");
    }
    if shape.is("array") {
        return Ok(text.split(',').map(|item| coerce(&shape.item(), item.trim())).collect());
    }
    if shape.is("object") && !shape.is("string") {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        let of = |name: &str, value: &str| (name.to_owned(), coerce(&shape.property(name), value));
        let object: Option<Map<String, Value>> = if parameter.explode {
            words.iter().map(|pair| pair.split_once('=').map(|(name, value)| of(name, value))).collect()
        } else {
            words
                .chunks(2)
                .map(|pair| match pair {
                    [name, value] => Some(of(name, value)),
                    _ => None,
                })
                .collect()
        };
        return object.map(Value::Object).ok_or("is no list of names and values");
    }
    Ok(coerce(shape, text))
}
