//! An operation of a document, prepared so that a request finds everything ready.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::document::{Document, Schema};
use crate::error::ApiError;
use crate::json_pointer::escaped;
use crate::schema::Direction;
use crate::security::{Credential, Demand};

pub struct Operation {
    pub document: Arc<Document>,
    /// `operationId`
    pub id: Option<String>,
    pub demand: Demand,
    pub parameters: Vec<Parameter>,
    pub body: Option<Body>,
    pub answers: Vec<Documented>,
}

/// Where a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Path,
    Query,
    Header,
    Cookie,
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        [Self::Path, Self::Query, Self::Header, Self::Cookie].into_iter().find(|place| place.as_str() == text)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

/// OpenAPI, Parameter Object.
#[derive(Debug)]
pub struct Parameter {
    pub name: String,
    pub place: Place,
    pub required: bool,
    pub style: Style,
    pub explode: bool,
    pub may_be_empty: bool,
    pub schema: Option<Schema>,
}

/// How a value that is not a simple one is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Form,
    Simple,
    DeepObject,
    SpaceDelimited,
    PipeDelimited,
    Label,
    Matrix,
    /// As JSON (the parameter has `content`).
    Json,
}

/// OpenAPI, Request Body Object.
#[derive(Debug)]
pub struct Body {
    pub required: bool,
    /// Media ranges, and what they are to be like.
    pub content: Vec<(String, Option<Schema>)>,
}

/// For which status an answer is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Exactly(u16),
    /// `4XX` is 4.
    Hundred(u16),
    Default,
}

impl Status {
    fn parse(text: &str) -> Option<Self> {
        if text == "default" {
            return Some(Self::Default);
        }
        if let Some(hundred) = text.strip_suffix("XX").or_else(|| text.strip_suffix("xx")) {
            return hundred.parse().ok().filter(|hundred| (1..=5).contains(hundred)).map(Self::Hundred);
        }
        text.parse().ok().filter(|status| (100..600).contains(status)).map(Self::Exactly)
    }

    /// Whether it says this very status, or its hundred.
    pub fn is_for(self, status: u16) -> bool {
        self != Self::Default && self.covers(status)
    }

    fn covers(self, status: u16) -> bool {
        match self {
            Self::Exactly(exactly) => exactly == status,
            Self::Hundred(hundred) => status / 100 == hundred,
            Self::Default => true,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(status) => status.fmt(f),
            Self::Hundred(hundred) => write!(f, "{hundred}XX"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// OpenAPI, Response Object.
#[derive(Debug)]
pub struct Documented {
    pub status: Status,
    pub content: Vec<Media>,
    pub headers: Vec<(String, Header)>,
}

/// OpenAPI, Media Type Object.
#[derive(Debug)]
pub struct Media {
    pub name: String,
    pub schema: Option<Schema>,
    /// With their names; the one that has none is called `default`.
    pub examples: Vec<(String, Value)>,
}

/// OpenAPI, Header Object.
#[derive(Debug)]
pub struct Header {
    pub schema: Option<Schema>,
    pub example: Option<Value>,
}

impl Operation {
    /// The answer that is described for a status: by itself, by its hundred, or as the default.
    pub fn documented(&self, status: u16) -> Option<&Documented> {
        let mut covering: Vec<&Documented> = self.answers.iter().filter(|known| known.status.covers(status)).collect();
        covering.sort_by_key(|known| known.status);
        covering.first().copied()
    }

    /// A status if the document has it, else that of success.
    pub fn status_of(&self, status: u16) -> u16 {
        if self.answers.iter().any(|known| known.status.is_for(status)) { status } else { self.success() }
    }

    /// The status of success: the lowest that is described.
    pub fn success(&self) -> u16 {
        let exactly = self.answers.iter().filter_map(|known| match known.status {
            Status::Exactly(status) => Some(status),
            Status::Hundred(2) => Some(200),
            _ => None,
        });
        let all: Vec<u16> = exactly.collect();
        let good = all.iter().copied().filter(|status| (200..300).contains(status)).min();
        let has_default = self.answers.iter().any(|known| known.status == Status::Default);
        good.or_else(|| has_default.then_some(200)).or_else(|| all.into_iter().min()).unwrap_or(200)
    }

    /// Reads one. A parameter, an answer or a demand that means nothing is left out and named in `remarks`.
    ///
    /// # Errors
    /// If what stands there is no operation at all, with its place.
    pub fn read(
        document: &Arc<Document>,
        path: &str,
        method: &str,
        remarks: &mut Vec<String>,
    ) -> Result<Self, ApiError> {
        let (at_item, item) =
            document.at(&format!("/paths/{}", escaped(path))).unwrap_or_else(|| (String::new(), &Value::Null));
        let pointer = format!("{at_item}/{method}");
        let operation = item.get(method).unwrap_or(&Value::Null);
        let reader = Reader { document };
        if !operation.is_object() {
            return Err(reader.fault(&pointer, "must be an object"));
        }
        let mut parameters = reader.parameters(&format!("{pointer}/parameters"), path, remarks);
        // What an operation says of a parameter replaces what its path says (OpenAPI, Path Item Object).
        for common in reader.parameters(&format!("{at_item}/parameters"), path, remarks) {
            if !parameters.iter().any(|own| (own.place, &own.name) == (common.place, &common.name)) {
                parameters.push(common);
            }
        }
        Ok(Self {
            document: Arc::clone(document),
            id: operation.get("operationId").and_then(Value::as_str).map(str::to_owned),
            demand: Demand::read(document, operation, &pointer).unwrap_or_else(|error| {
                // Something is demanded, and nothing tells what: nothing that a request has can be held against it.
                remarks.push(error.to_string());
                Demand::all(vec![Credential::Unseen])
            }),
            parameters,
            body: reader.body(&format!("{pointer}/requestBody")).unwrap_or_else(|error| {
                remarks.push(error.to_string());
                None
            }),
            answers: reader.answers(&format!("{pointer}/responses"), remarks),
        })
    }
}

/// What could be read; of the rest a remark.
fn sound<T>(read: impl Iterator<Item = Result<T, ApiError>>, remarks: &mut Vec<String>) -> Vec<T> {
    let mut sound = Vec::new();
    for one in read {
        match one {
            Ok(one) => sound.push(one),
            Err(error) => remarks.push(error.to_string()),
        }
    }
    sound
}

/// A name, where what it names stands, and what that is.
type Member<'a> = (String, String, &'a Map<String, Value>);

struct Reader<'a> {
    document: &'a Document,
}

impl Reader<'_> {
    fn fault(&self, pointer: &str, why: impl Into<String>) -> ApiError {
        ApiError::At { file: self.document.name.clone(), pointer: pointer.to_owned(), why: why.into() }
    }

    /// The members of what stands at a place, each with its name and where it is; none if nothing stands there.
    fn members(&self, pointer: &str) -> Result<Vec<Member<'_>>, ApiError> {
        let Some((at, value)) = self.document.at(pointer) else { return Ok(Vec::new()) };
        let object = value.as_object().ok_or_else(|| self.fault(&at, "must be an object"))?;
        let named = object.keys().filter(|name| !name.starts_with("x-"));
        named
            .map(|name| {
                let below = format!("{at}/{}", escaped(name));
                let (at, value) = self.document.at(&below).ok_or_else(|| self.fault(&below, "leads nowhere"))?;
                let members = value.as_object().ok_or_else(|| self.fault(&at, "must be an object"))?;
                Ok((name.clone(), at, members))
            })
            .collect()
    }

    fn parameters(&self, pointer: &str, path: &str, remarks: &mut Vec<String>) -> Vec<Parameter> {
        let Some((at, list)) = self.document.at(pointer) else { return Vec::new() };
        let Some(list) = list.as_array() else {
            remarks.push(self.fault(&at, "must be a list").to_string());
            return Vec::new();
        };
        let read = (0..list.len()).map(|number| self.parameter(&format!("{at}/{number}"), path));
        sound(read, remarks).into_iter().flatten().collect()
    }

    fn parameter(&self, pointer: &str, path: &str) -> Result<Option<Parameter>, ApiError> {
        let (at, value) = self.document.at(pointer).ok_or_else(|| self.fault(pointer, "leads nowhere"))?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let flag = |name: &str| value.get(name).and_then(Value::as_bool);
        let name = text("name").ok_or_else(|| self.fault(&at, "a parameter must have a name"))?;
        let place = text("in").and_then(Place::parse).ok_or_else(|| {
            self.fault(&at, format!("the parameter {name} must say in: path, query, header or cookie"))
        })?;
        if place == Place::Path && !path.contains(&format!("{{{name}}}")) {
            return Err(self.fault(&at, format!("the path {path} has no {{{name}}}")));
        }
        // OpenAPI, Parameter Object: these are described elsewhere.
        let ours = ["accept", "content-type", "authorization"];
        if place == Place::Header && ours.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return Ok(None);
        }
        let content = self.members(&format!("{at}/content"))?;
        let (style, schema) = match content.first() {
            Some((_, media, members)) => {
                (Style::Json, members.contains_key("schema").then(|| format!("{media}/schema")))
            }
            None => {
                let style = self.style(&at, text("style"), place)?;
                (style, value.get("schema").map(|_| format!("{at}/schema")))
            }
        };
        Ok(Some(Parameter {
            name: name.to_owned(),
            place,
            required: place == Place::Path || flag("required") == Some(true),
            style,
            explode: flag("explode").unwrap_or(style == Style::Form),
            may_be_empty: flag("allowEmptyValue") == Some(true),
            schema: schema.map(|pointer| Schema::new(pointer, Direction::Request)),
        }))
    }

    fn style(&self, at: &str, said: Option<&str>, place: Place) -> Result<Style, ApiError> {
        Ok(match (said, place) {
            (None | Some("form"), Place::Query | Place::Cookie) => Style::Form,
            (None | Some("simple"), Place::Path | Place::Header) => Style::Simple,
            (Some("deepObject"), Place::Query) => Style::DeepObject,
            (Some("spaceDelimited"), Place::Query) => Style::SpaceDelimited,
            (Some("pipeDelimited"), Place::Query) => Style::PipeDelimited,
            (Some("label"), Place::Path) => Style::Label,
            (Some("matrix"), Place::Path) => Style::Matrix,
            (Some(other), _) => {
                return Err(self.fault(
                    &format!("{at}/style"),
                    format!("{other:?} is no style of a {} parameter", place.as_str()),
                ));
            }
        })
    }

    fn body(&self, pointer: &str) -> Result<Option<Body>, ApiError> {
        let Some((at, value)) = self.document.at(pointer) else { return Ok(None) };
        let content = self.members(&format!("{at}/content"))?;
        let schema = |at: &str| Schema::new(format!("{at}/schema"), Direction::Request);
        let content =
            content.into_iter().map(|(name, at, media)| (name, media.contains_key("schema").then(|| schema(&at))));
        let required = value.get("required") == Some(&Value::Bool(true));
        Ok(Some(Body { required, content: content.collect() }))
    }

    fn answers(&self, pointer: &str, remarks: &mut Vec<String>) -> Vec<Documented> {
        let members = self.members(pointer).unwrap_or_else(|error| {
            remarks.push(error.to_string());
            Vec::new()
        });
        let read = members.into_iter().map(|(name, at, _)| {
            let status = Status::parse(&name).ok_or_else(|| {
                self.fault(pointer, format!("{name:?} is no status; there are 200, 4XX, default and the like"))
            })?;
            let content = self.members(&format!("{at}/content"))?.into_iter();
            let content = content.map(|(name, at, media)| self.media(name, &at, media)).collect::<Result<_, _>>()?;
            let headers = self.members(&format!("{at}/headers"))?.into_iter();
            let headers = headers
                .filter(|(name, ..)| !name.eq_ignore_ascii_case("content-type"))
                .map(|(name, at, header)| {
                    let schema = header.contains_key("schema");
                    let schema = schema.then(|| Schema::new(format!("{at}/schema"), Direction::Answer));
                    (name, Header { schema, example: header.get("example").cloned() })
                })
                .collect();
            Ok(Documented { status, content, headers })
        });
        sound(read, remarks)
    }

    fn media(&self, name: String, at: &str, media: &Map<String, Value>) -> Result<Media, ApiError> {
        let mut examples: Vec<(String, Value)> = Vec::new();
        examples.extend(media.get("example").map(|value| ("default".to_owned(), value.clone())));
        for (name, _, example) in self.members(&format!("{at}/examples"))? {
            let value = example.get("value").or_else(|| example.get("dataValue"));
            examples.extend(value.map(|value| (name, value.clone())));
        }
        let schema = media.contains_key("schema").then(|| Schema::new(format!("{at}/schema"), Direction::Answer));
        Ok(Media { name, schema, examples })
    }
}
