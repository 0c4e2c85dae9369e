//! An OpenAPI document, read and checked: JSON or YAML, with references inside itself only.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use jsonschema::{Draft, Registry, Validator};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::int64;
use crate::json_pointer::{escaped, local};
use crate::schema::{self, Direction};

/// A document, once as requests are checked by it and once as answers are: what is only read is not asked for in a
/// request, what is only written is not in an answer.
pub struct Document {
    /// The file's name, for messages.
    pub name: String,
    /// What in it means nothing and was left out, each with its place.
    pub remarks: Vec<String>,
    requests: Arc<Value>,
    answers: Arc<Value>,
    registry: Registry<'static>,
}

/// A schema of a document, by its place, with a validator that is made when it is first needed.
#[derive(Debug)]
pub struct Schema {
    pub pointer: String,
    direction: Direction,
    validator: OnceLock<Result<Validator, String>>,
}

/// More steps than any sensible document takes from a reference to what it means.
const MAX_HOPS: usize = 32;

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is neither JSON nor YAML, or no OpenAPI 3 document.
    pub fn read(file: &Path) -> Result<Self, ApiError> {
        let text = std::fs::read_to_string(file).map_err(|why| ApiError::Read { file: file.to_owned(), why })?;
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        Self::parse(&name, &text)
    }

    /// As [`Document::read`], of a text.
    ///
    /// # Errors
    /// The same.
    pub fn parse(name: &str, text: &str) -> Result<Self, ApiError> {
        let syntax = |why: String| ApiError::Syntax { file: name.to_owned(), why };
        let mut value: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|e| syntax(e.to_string()))?
        } else {
            // YAML 1.2: `on` and `no` are words.
            let options = serde_saphyr::options! { strict_booleans: true };
            serde_saphyr::from_str_with_options(text, options).map_err(|e| syntax(e.to_string()))?
        };
        let at = |pointer: &str, why: &str| ApiError::At {
            file: name.to_owned(),
            pointer: pointer.to_owned(),
            why: why.to_owned(),
        };
        let version = value.get("openapi").and_then(Value::as_str).unwrap_or_default();
        let dialect = match version.split('.').collect::<Vec<_>>()[..] {
            ["3", "0", _] => schema::Dialect::OpenApi30,
            ["3", "1" | "2", _] => schema::Dialect::JsonSchema,
            _ if value.get("swagger").is_some() => {
                return Err(at("/swagger", "this is Swagger 2.0; convert it to OpenAPI 3.0 or 3.1"));
            }
            _ => return Err(at("/openapi", "an OpenAPI document says openapi: 3.0.x or 3.1.x here")),
        };
        if !value.get("paths").is_none_or(Value::is_object) {
            return Err(at("/paths", "must be an object"));
        }
        let mut faults = broken_references(&value);
        for (pointer, _) in &faults {
            let holder = pointer.strip_suffix("/$ref").and_then(|holder| value.pointer_mut(holder));
            holder.into_iter().for_each(|holder| *holder = json!({}));
        }
        let (requests, odd) = schema::translate(&value, dialect, Direction::Request);
        // The other direction has the same schemas, and so the same faults.
        let (answers, _) = schema::translate(&value, dialect, Direction::Answer);
        let (requests, answers) = (Arc::new(requests), Arc::new(answers));
        faults.extend(odd);
        let remarks = faults.iter().map(|(pointer, why)| format!("{name}#{pointer}: {why}")).collect();
        let registry = Registry::new()
            .draft(Draft::Draft202012)
            .add(Direction::Request.base(), Arc::clone(&requests))
            .and_then(|builder| builder.add(Direction::Answer.base(), Arc::clone(&answers)))
            .and_then(jsonschema::RegistryBuilder::prepare)
            .map_err(|e| syntax(e.to_string()))?;
        Ok(Self { name: name.to_owned(), remarks, requests, answers, registry })
    }

    /// The document as answers are made by it.
    pub fn root(&self) -> &Value {
        &self.answers
    }

    fn of(&self, direction: Direction) -> &Value {
        match direction {
            Direction::Request => &self.requests,
            Direction::Answer => &self.answers,
        }
    }

    /// What stands at a place once references are followed, and where that is.
    pub fn at(&self, pointer: &str) -> Option<(String, &Value)> {
        follow(self.root(), pointer)
    }

    /// A schema's text.
    pub fn schema(&self, schema: &Schema) -> Option<&Value> {
        self.of(schema.direction).pointer(&schema.pointer)
    }

    /// The validator of a schema.
    ///
    /// # Errors
    /// A sentence that names the place, if none can be made.
    pub fn validator<'a>(&self, schema: &'a Schema) -> Result<&'a Validator, &'a str> {
        let made = schema.validator.get_or_init(|| {
            let fragment: Vec<String> = schema
                .pointer
                .split('/')
                .map(|segment| utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string().replace("%7E", "~"))
                .collect();
            let reference = json!({"$ref": format!("{}#{}", schema.direction.base(), fragment.join("/"))});
            jsonschema::options()
                .with_draft(Draft::Draft202012)
                .with_registry(&self.registry)
                .should_validate_formats(true)
                .with_keyword(int64::KEYWORD, int64::int64)
                .build(&reference)
                .map_err(|why| format!("{}#{}: {why}", self.name, schema.pointer))
        });
        made.as_ref().map_err(String::as_str)
    }
}

impl Schema {
    pub fn new(pointer: String, direction: Direction) -> Self {
        Self { pointer, direction, validator: OnceLock::new() }
    }
}

/// What stands at a place once references are followed.
pub fn follow<'a>(root: &'a Value, pointer: &str) -> Option<(String, &'a Value)> {
    let (mut pointer, mut value) = (pointer.to_owned(), root.pointer(pointer)?);
    for _ in 0..MAX_HOPS {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                pointer = local(reference)?;
                value = root.pointer(&pointer)?;
            }
            None => return Some((pointer, value)),
        }
    }
    None
}

/// What stands below these is data, in which `$ref` is a word like any other.
const DATA: [&str; 5] = ["example", "examples", "default", "enum", "const"];

/// References that lead nowhere, each with its place.
fn broken_references(root: &Value) -> Vec<(String, String)> {
    let (mut open, mut broken) = (vec![(String::new(), root)], Vec::new());
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    broken.extend(check_reference(root, reference).err().map(|why| (format!("{pointer}/$ref"), why)));
                }
                let names = pointer.ends_with("/properties");
                let data = |name: &str| DATA.contains(&name) || name.starts_with("x-");
                let below = members.iter().filter(|(name, _)| names || !data(name));
                open.extend(below.map(|(name, value)| (format!("{pointer}/{}", escaped(name)), value)));
            }
            Value::Array(items) => {
                open.extend(items.iter().enumerate().map(|(at, value)| (format!("{pointer}/{at}"), value)));
            }
            _ => {}
        }
    }
    broken
}

fn check_reference(root: &Value, reference: &str) -> Result<(), String> {
    if !reference.starts_with('#') {
        return Err(format!("{reference:?} leads out of this file; bundle the document into one file first"));
    }
    let pointer = local(reference).filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
    let pointer = pointer
        .ok_or_else(|| format!("{reference:?} is no JSON pointer; a reference is like #/components/schemas/Pet"))?;
    if root.pointer(&pointer).is_none() {
        return Err(format!("{reference:?} leads nowhere"));
    }
    follow(root, &pointer).map(|_| ()).ok_or_else(|| format!("{reference:?} leads back to itself"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a document: why it is refused, or what is left out of it.
    fn error(text: &str) -> String {
        Document::parse("api.yaml", text).map_or_else(|error| error.to_string(), |document| document.remarks.join("\n"))
    }

    #[test]
    fn yaml_and_json_are_the_same() {
        let yaml = "openapi: 3.1.0\npaths:\n  /a:\n    get:\n      responses:\n        200: {description: on, x: 2024-01-01}\n";
        let json =
            r#"{"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{"200":{"description":"on","x":"2024-01-01"}}}}}}"#;
        let read = |text| Document::parse("x", text).expect("a document");
        assert_eq!(read(yaml).root(), read(json).root());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, expected) in [
            ("swagger: '2.0'", "api.yaml#/swagger: this is Swagger 2.0"),
            ("openapi: 2.1.0", "api.yaml#/openapi: "),
            ("openapi: 3.0.3\npaths: []", "api.yaml#/paths: must be an object"),
            ("{", "api.yaml: "),
            ("a: [", "api.yaml: "),
            (
                "openapi: 3.1.0\ncomponents: {schemas: {A: {$ref: 'other.yaml#/A'}}}",
                "api.yaml#/components/schemas/A/$ref: \"other.yaml#/A\" leads out of this file",
            ),
            (
                "openapi: 3.1.0\npaths: {/a: {$ref: '#/paths/~1b'}}",
                "api.yaml#/paths/~1a/$ref: \"#/paths/~1b\" leads nowhere",
            ),
            (
                "openapi: 3.1.0\ncomponents: {schemas: {A: {$ref: '#/components/schemas/B'}, B: {$ref: '#/components/schemas/A'}}}",
                "leads back to itself",
            ),
            (
                "openapi: 3.1.0\ncomponents: {schemas: {A: {type: strng}}}",
                "api.yaml#/components/schemas/A/type: \"strng\" is no type",
            ),
            (
                "openapi: 3.0.0\ncomponents: {schemas: {A: {type: string, pattern: '('}}}",
                "api.yaml#/components/schemas/A/pattern: ",
            ),
        ] {
            let error = error(text);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn data_is_not_searched_for_references_but_properties_are() {
        assert!(Document::parse("x", "openapi: 3.1.0\nx: {example: {$ref: nothing}}").is_ok());
        let named = "openapi: 3.1.0\ncomponents: {schemas: {A: {properties: {example: {$ref: '#/no'}}}}}";
        assert!(error(named).contains("/properties/example/$ref"));
    }

    #[test]
    fn a_schema_of_itself_is_checked_by_reference() {
        let text = "openapi: 3.0.3\ncomponents: {schemas: {Node: {type: object, required: [name], properties: {name: {type: string, nullable: true}, next: {$ref: '#/components/schemas/Node'}}}}}";
        let document = Document::parse("x", text).expect("a document");
        let schema = Schema::new("/components/schemas/Node".to_owned(), Direction::Request);
        let validator = document.validator(&schema).expect("a validator");
        assert!(validator.is_valid(&json!({"name": null, "next": {"name": "b"}})));
        assert!(!validator.is_valid(&json!({"name": "a", "next": {}})));
    }
}
