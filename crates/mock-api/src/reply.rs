//! Answers of `mock.toml`, read once with their files.

use std::path::Path;

use serde_json::Value;

use crate::error::ApiError;
use crate::settings::{AnswerSettings, WhenSettings};

/// An answer, and when it is given.
#[derive(Debug, Clone)]
pub struct Reply {
    pub when: WhenSettings,
    pub status: Option<u16>,
    pub example: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Option<Content>,
}

/// What an answer consists of.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Json(Value),
    /// With templates.
    Text {
        media: &'static str,
        text: String,
    },
    /// As they are.
    Bytes {
        media: &'static str,
        bytes: Vec<u8>,
    },
}

impl Reply {
    /// Reads one; `what` names its place in messages.
    ///
    /// # Errors
    /// A status or a header that there is not, a file that cannot be read.
    pub fn read(settings: &AnswerSettings, folder: &Path, what: &str) -> Result<Self, ApiError> {
        let wrong = |why: String| ApiError::Settings(format!("{what}: {why}"));
        if let Some(status) = settings.status
            && !(200..600).contains(&status)
        {
            return Err(wrong(format!("status = {status} is no status of an answer")));
        }
        for (name, value) in &settings.headers {
            let (name, value) = (name.parse::<actix_web::http::header::HeaderName>(), value.contains(['\r', '\n']));
            if name.is_err() || value {
                return Err(wrong("headers must have names and values that HTTP allows".to_owned()));
            }
        }
        let body = match (&settings.body, &settings.file) {
            (Some(_), Some(_)) => {
                return Err(wrong("there is a body and a file; one of them is the answer".to_owned()));
            }
            (Some(body), None) => Some(Content::Json(plain(body.clone()))),
            (None, Some(file)) => Some(read(&folder.join(file))?),
            (None, None) => None,
        };
        Ok(Self {
            when: settings.when.clone().unwrap_or_default(),
            status: settings.status,
            example: settings.example.clone(),
            headers: settings.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            body,
        })
    }
}

fn read(file: &Path) -> Result<Content, ApiError> {
    let bytes = std::fs::read(file).map_err(|why| ApiError::Read { file: file.to_owned(), why })?;
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let media = match extension {
        "json" => return json(file, &bytes).map(Content::Json),
        "txt" => "text/plain; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "xml" => "application/xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    };
    Ok(match String::from_utf8(bytes) {
        Ok(text) if media != "application/octet-stream" => Content::Text { media, text },
        Ok(text) => Content::Bytes { media, bytes: text.into_bytes() },
        Err(error) => Content::Bytes { media, bytes: error.into_bytes() },
    })
}

/// The JSON in a file.
pub fn json(file: &Path, bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes)
        .map_err(|why| ApiError::Syntax { file: file.display().to_string(), why: why.to_string() })
}

/// TOML knows times; JSON writes them as text.
pub fn plain(value: Value) -> Value {
    const TIME: &str = "$__toml_private_datetime";
    match value {
        Value::Object(mut members) if members.len() == 1 && members.contains_key(TIME) => {
            members.remove(TIME).unwrap_or_default()
        }
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, plain(value))).collect(),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        other => other,
    }
}
