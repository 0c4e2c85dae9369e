//! Answers as a document describes them: its examples, or what is made up from its schemas.

use serde_json::Value;

use crate::generate::dice::Dice;
use crate::generate::{self, Examples};
use crate::negotiate::{choose, essence, is_json};
use crate::operation::{Documented, Header, Media, Operation};
use crate::path::Values;
use crate::problem::Problem;

/// An answer that is about to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub media: Option<String>,
    pub body: Payload,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    Nothing,
    Json(Value),
    Bytes(Vec<u8>),
}

impl Draft {
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), media: None, body: Payload::Nothing }
    }

    /// With this JSON as its body.
    pub fn json(self, body: Value) -> Self {
        Self { media: Some("application/json".to_owned()), body: Payload::Json(body), ..self }
    }
}

/// What is wanted of a documented answer.
pub struct Wish<'a> {
    pub status: u16,
    /// The example of this name.
    pub example: Option<&'a str>,
    pub accept: Option<&'a str>,
    pub examples: Examples,
    pub path: &'a Values,
    pub dice: Dice,
}

impl Operation {
    /// The answer that the document has for a status.
    ///
    /// # Errors
    /// 406 if none of its forms is accepted; 400 if there is no such answer or example.
    pub fn answer(&self, wish: &Wish<'_>) -> Result<Draft, Problem> {
        let Some(documented) = self.documented(wish.status) else {
            if self.answers.is_empty() {
                // OpenAPI 3.1, Operation Object: `responses` may be left out, and then nothing is known of them.
                return Ok(Draft::new(wish.status));
            }
            return Err(self.undocumented(wish.status));
        };
        let mut draft = Draft::new(wish.status);
        if let Some((name, media)) = self.form(documented, wish)? {
            draft.body = self.payload(media, &name, wish)?;
            draft.media = Some(name);
        }
        let mut dice = wish.dice.clone();
        for (name, header) in &documented.headers {
            if let Some(value) = self.header(header, wish, &dice) {
                draft.headers.push((name.clone(), value));
            }
            dice.next();
        }
        Ok(draft)
    }

    /// What is said where the document says nothing: of a failure the failure, of anything else that it is not there.
    fn undocumented(&self, status: u16) -> Problem {
        if status >= 400 {
            return Problem::new(status, format!("the document does not describe {status} for this operation"));
        }
        let known: Vec<String> = self.answers.iter().map(|known| known.status.to_string()).collect();
        Problem::new(
            400,
            format!("the document has no answer {status} for this operation; it has {}", known.join(", ")),
        )
    }

    /// In which of its forms an answer is given.
    fn form<'a>(&self, documented: &'a Documented, wish: &Wish<'_>) -> Result<Option<(String, &'a Media)>, Problem> {
        // What has a body comes before what has none; each form that is documented can be had.
        let makeable = |media: &&Media| !media.examples.is_empty() || can_be_made(&media.name);
        let (mut offered, others): (Vec<&Media>, Vec<&Media>) = documented.content.iter().partition(makeable);
        offered.extend(others);
        let names: Vec<String> = offered.iter().map(|media| definite(&media.name)).collect();
        let Some(first) = names.first() else { return Ok(None) };
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let chosen = choose(wish.accept, &borrowed);
        // A failure is told in any form rather than not at all (RFC 9110 §15.5.7).
        let chosen = chosen.or_else(|| (wish.status >= 400).then_some(first.as_str()));
        let Some(chosen) = chosen else {
            return Err(Problem::new(406, format!("the answer is there as {}", names.join(", "))));
        };
        let at = names.iter().position(|name| name == chosen);
        Ok(at.and_then(|at| offered.get(at)).map(|media| (chosen.to_owned(), *media)))
    }

    fn payload(&self, media: &Media, name: &str, wish: &Wish<'_>) -> Result<Payload, Problem> {
        let example = match wish.example {
            Some(wanted) => Some(self.named(media, wanted)?),
            None if wish.examples == Examples::Ignored => None,
            None => media.examples.first().map(|(_, value)| value),
        };
        if is_json(name) {
            return Ok(Payload::Json(match example {
                Some(example) => example.clone(),
                None => self.made(media, wish),
            }));
        }
        let value = match example {
            Some(example) => example.clone(),
            None if is_event_stream(name) => return Ok(Payload::Bytes(event(&self.made(media, wish)).into_bytes())),
            None if can_be_made(name) => self.made(media, wish),
            // No example of it, and nothing that could be made up: its type alone.
            None => return Ok(Payload::Bytes(Vec::new())),
        };
        Ok(match value {
            Value::Null => Payload::Nothing,
            Value::String(text) => Payload::Bytes(text.into_bytes()),
            other => Payload::Bytes(other.to_string().into_bytes()),
        })
    }

    fn named<'a>(&self, media: &'a Media, wanted: &str) -> Result<&'a Value, Problem> {
        let found = media.examples.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value).ok_or_else(|| {
            let names: Vec<&str> = media.examples.iter().map(|(name, _)| name.as_str()).collect();
            let known =
                if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", names.join(", ")) };
            Problem::new(400, format!("the document has no example {wanted:?} for this answer; {known}"))
        })
    }

    fn made(&self, media: &Media, wish: &Wish<'_>) -> Value {
        let document = &self.document;
        let Some(schema) = &media.schema else {
            return Value::Null;
        };
        let Some(text) = document.schema(schema) else { return Value::Null };
        let validator = document.validator(schema).ok();
        let made = generate::value(document.root(), text, validator, &wish.dice, wish.examples);
        let named = named_by_path(&made, wish.path);
        if validator.is_some_and(|validator| validator.is_valid(&named)) { named } else { made }
    }

    fn header(&self, header: &Header, wish: &Wish<'_>, dice: &Dice) -> Option<String> {
        let value = match &header.example {
            Some(example) if wish.examples == Examples::Used => example.clone(),
            _ => {
                let schema = header.schema.as_ref()?;
                let text = self.document.schema(schema)?;
                let validator = self.document.validator(schema).ok();
                generate::value(self.document.root(), text, validator, dice, wish.examples)
            }
        };
        let text = match value {
            Value::String(text) => text,
            Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(","),
            Value::Object(members) => {
                members.iter().flat_map(|(name, value)| [name.clone(), scalar(value)]).collect::<Vec<_>>().join(",")
            }
            other => scalar(&other),
        };
        text.bytes().all(|b| (0x20..0x7f).contains(&b)).then_some(text)
    }

    /// A problem in the form that the document has for it, if it has one: a client knows no other. What went wrong is told
    /// there where there is room for it.
    pub fn shape(&self, problem: &Problem, wish: &Wish<'_>) -> Option<Draft> {
        let documented = self.documented(problem.status)?;
        let media = documented.content.iter().find(|media| is_json(&media.name))?;
        let schema = media.schema.as_ref()?;
        let validator = self.document.validator(schema).ok()?;
        let name = definite(&media.name);
        let mut draft = Draft { media: Some(name), ..Draft::new(problem.status) };
        draft.headers.extend(problem.allow.clone().map(|allow| ("Allow".to_owned(), allow)));
        let own = problem.json();
        if validator.is_valid(&own) {
            draft.body = Payload::Json(own);
            return Some(draft);
        }
        let example = media.examples.first().map(|(_, value)| value.clone());
        let mut body = example.unwrap_or_else(|| self.made(media, wish));
        if let Value::Object(members) = &mut body {
            for (name, value) in members.iter_mut() {
                let told = match (name.as_str(), &*value) {
                    ("message" | "detail" | "description" | "error_description" | "reason", Value::String(_)) => {
                        Value::String(problem.sentence())
                    }
                    ("status" | "code" | "statusCode" | "status_code", Value::Number(_)) => problem.status.into(),
                    _ => continue,
                };
                let before = std::mem::replace(value, told);
                if matches!(before, Value::Null) {
                    *value = before;
                }
            }
        }
        if !validator.is_valid(&body) {
            body = self.made(media, wish);
        }
        draft.body = Payload::Json(body);
        Some(draft)
    }
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether there is something to be sent in this form without an example of it.
fn can_be_made(media: &str) -> bool {
    is_json(media)
        || media.starts_with("text/plain")
        || media.contains('*')
        || media.starts_with("application/octet-stream")
        || is_event_stream(media)
}

fn is_event_stream(media: &str) -> bool {
    essence(media) == "text/event-stream"
}

/// One event of a stream (HTML Standard §9.2).
fn event(value: &Value) -> String {
    let data = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("data: {}\n\n", data.replace('\n', "\ndata: "))
}

/// A media range as one of its types.
fn definite(range: &str) -> String {
    match range {
        "*/*" | "application/*" => "application/json".to_owned(),
        "text/*" => "text/plain".to_owned(),
        _ if range.ends_with("/*") => "application/octet-stream".to_owned(),
        other => other.to_owned(),
    }
}

/// What is asked for by its id has that id.
fn named_by_path(made: &Value, path: &Values) -> Value {
    let mut named = made.clone();
    let Value::Object(members) = &mut named else { return named };
    for (name, text) in path {
        let key = if members.contains_key(name) {
            name.as_str()
        } else if name.to_ascii_lowercase().ends_with("id") {
            "id"
        } else {
            continue;
        };
        let Some(value) = members.get_mut(key) else { continue };
        match value {
            Value::String(_) => *value = Value::String(text.clone()),
            Value::Number(_) => {
                if let Ok(number @ Value::Number(_)) = serde_json::from_str(text) {
                    *value = number;
                }
            }
            _ => {}
        }
    }
    named
}
