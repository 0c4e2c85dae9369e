//! Request bodies in JSON, read strictly: what is unknown, repeated or of another type is refused by its name.

use actix_web::HttpRequest;
use secrecy::SecretString;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

use crate::protocol::{ErrorCode, OAuthError};
use crate::request;

const CONTROL: &str = "must have no control characters";

/// Reads the one JSON object of a request.
pub fn read<T: DeserializeOwned>(req: &HttpRequest, body: &[u8]) -> Result<T, OAuthError> {
    if !req.query_string().is_empty() {
        return Err(OAuthError::invalid_request("this takes nothing in the URL, where logs and histories keep it"));
    }
    if !request::is_media_type(req.headers(), "application/json") {
        let error = "Content-Type must be application/json, in UTF-8";
        return Err(OAuthError::new(ErrorCode::UnsupportedMediaType, error));
    }
    parse(body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, OAuthError> {
    // serde takes the values in an array for members in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(OAuthError::invalid_request("the body must be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|e| refusal(&e))?;
    reader.end().map_err(|_| OAuthError::invalid_request("something follows the JSON object"))?;
    Ok(value)
}

/// Names the member. What the member held is in no message: it can be a password.
fn refusal(error: &serde_path_to_error::Error<serde_json::Error>) -> OAuthError {
    if error.inner().classify() != Category::Data {
        return OAuthError::invalid_request("the body is not valid JSON in UTF-8");
    }
    let (path, text) = (error.path().to_string(), error.inner().to_string());
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let by_name = ["unknown field ", "missing field ", "duplicate field "];
    let sentence = if let Some(rest) = by_name.iter().find_map(|kind| text.strip_prefix(kind)) {
        let kind = text.split(' ').next().unwrap_or_default();
        format!("{kind} member {}", rest.chars().take(200).collect::<String>())
    } else if text == CONTROL {
        format!("member {path} {CONTROL}")
    } else if let Some((_, expected)) = text.rsplit_once(", expected ") {
        format!("member {path} must be {expected}")
    } else {
        format!("member {path} has the wrong form")
    };
    OAuthError::invalid_request(sentence)
}

fn checked<E: Error>(text: String) -> Result<String, E> {
    if text.chars().any(char::is_control) { Err(E::custom(CONTROL)) } else { Ok(text) }
}

/// A text, as forms take it: without control characters.
pub fn text<'de, D: Deserializer<'de>>(reader: D) -> Result<String, D::Error> {
    checked(String::deserialize(reader)?)
}

/// A text that may be left out.
pub fn optional_text<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(reader)?.map(checked).transpose()
}

/// A text that no log shows.
pub fn secret<'de, D: Deserializer<'de>>(reader: D) -> Result<SecretString, D::Error> {
    text(reader).map(SecretString::from)
}

/// A secret that may be left out.
pub fn optional_secret<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<SecretString>, D::Error> {
    Ok(optional_text(reader)?.map(SecretString::from))
}

/// One text or a list of them, as RFC 8707 §2 lets `resource` be repeated.
pub fn one_or_many<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    let texts = match OneOrMany::deserialize(reader)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    };
    if texts.len() > MAX_TEXTS {
        return Err(D::Error::custom("too many"));
    }
    texts.into_iter().map(checked).collect()
}

/// Longer lists are refused: each text is compared with a list of the client's.
const MAX_TEXTS: usize = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(deserialize_with = "text")]
        a: String,
        #[serde(default, deserialize_with = "one_or_many")]
        resource: Vec<String>,
    }

    fn why(body: &str) -> String {
        parse::<Sample>(body.as_bytes()).expect_err(body).wire_description()
    }

    #[test]
    fn the_member_is_named_and_its_value_is_not() {
        assert_eq!(why(r#"{"a":"x","b":1}"#), "unknown member `b`, expected `a` or `resource`");
        assert_eq!(why("{}"), "missing member `a`");
        assert_eq!(why(r#"{"a":"x","a":"y"}"#), "duplicate member `a`");
        assert_eq!(why(r#"{"a":12345}"#), "member a must be a string");
        assert_eq!(why(r#"{"a":"s\u0000t"}"#), "member a must have no control characters");
        assert_eq!(why(r#"{"a":"x","resource":{"y":1}}"#), "member resource has the wrong form");
        for bad in ["", "[]", r#"["x"]"#, "null", "\"a\""] {
            assert_eq!(why(bad), "the body must be a JSON object", "{bad}");
        }
        assert_eq!(why(r#"{"a":"x"} {}"#), "something follows the JSON object");
        for bad in ["{", r#"{"a":"x""#, r#"{"a":"\ud800"}"#, r#"{"a":x}"#] {
            assert_eq!(why(bad), "the body is not valid JSON in UTF-8", "{bad}");
        }
        assert_eq!(why(&format!("{{\"a\":{}", "[".repeat(4000))), "member a must be a string");
    }

    #[test]
    fn one_resource_or_many() {
        let read = |body: &str| parse::<Sample>(body.as_bytes()).expect("valid");
        let one = read(r#" {"a":"x","resource":"r"} "#);
        assert_eq!((one.a.as_str(), one.resource), ("x", vec!["r".to_owned()]));
        assert_eq!(read(r#"{"a":"x","resource":["r","s"]}"#).resource, ["r", "s"]);
        assert_eq!(read(r#"{"a":"x"}"#).resource, Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse::<Sample>(&bytes);
        }
    }
}
