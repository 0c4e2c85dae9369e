//! Bodies and headers as text that can be shown.

use std::collections::BTreeMap;

use actix_web::http::header::HeaderMap;
use serde::Serialize;
use serde_json::Value;

/// What is kept of a body, in bytes.
const KEPT: usize = 16 * 1024;
/// What stands for a password.
const MASK: &str = "***";

/// What a message said.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Message {
    /// By their names in lower case.
    pub headers: BTreeMap<String, OneOrMany>,
    /// The first 16 KiB; none if there was none, or it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// How many bytes it had.
    pub body_bytes: usize,
}

/// A header's value, or its values in their order.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub fn iter(&self) -> impl Iterator<Item = &String> {
        match self {
            Self::One(value) => std::slice::from_ref(value).iter(),
            Self::Many(values) => values.iter(),
        }
    }
}

impl Message {
    pub fn new(headers: &HeaderMap, body: &[u8]) -> Self {
        let mut shown: BTreeMap<String, OneOrMany> = BTreeMap::new();
        for (name, value) in headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            shown
                .entry(name.as_str().to_owned())
                .and_modify(|known| match known {
                    OneOrMany::One(first) => *known = OneOrMany::Many(vec![std::mem::take(first), value.clone()]),
                    OneOrMany::Many(values) => values.push(value.clone()),
                })
                .or_insert(OneOrMany::One(value));
        }
        let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        Self { headers: shown, body: text(kind, body), body_bytes: body.len() }
    }
}

/// A body as text without passwords, if it is text.
fn text(kind: &str, body: &[u8]) -> Option<String> {
    if body.is_empty() || kind.starts_with("image/") {
        return None;
    }
    let whole = std::str::from_utf8(body).ok()?;
    let masked = if kind.starts_with("application/x-www-form-urlencoded") {
        form(whole)
    } else if kind.contains("json") {
        json(whole)
    } else {
        whole.to_owned()
    };
    let end = (0..=KEPT.min(masked.len())).rev().find(|at| masked.is_char_boundary(*at)).unwrap_or(0);
    Some(masked[..end].to_owned())
}

/// A form or a query, less its passwords.
pub fn form(text: &str) -> String {
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, _))
            if is_password(&url::form_urlencoded::parse(name.as_bytes()).map(|(n, _)| n).collect::<String>()) =>
        {
            format!("{name}={MASK}")
        }
        _ => pair.to_owned(),
    };
    text.split('&').map(pair).collect::<Vec<_>>().join("&")
}

fn json(text: &str) -> String {
    if !text.to_ascii_lowercase().contains("password") {
        return text.to_owned();
    }
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return "(JSON that cannot be read)".to_owned() };
    mask(&mut value);
    value.to_string()
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if is_password(name) && !member.is_object() && !member.is_array() {
                    *member = Value::from(MASK);
                } else {
                    mask(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

fn is_password(name: &str) -> bool {
    name.to_ascii_lowercase().contains("password")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_and_nothing_else() {
        assert_eq!(
            form("username=alice&password=s%20x&pass%77ord_again=1&scope=a"),
            "username=alice&password=***&pass%77ord_again=***&scope=a"
        );
        assert_eq!(json(r#"{"username":"a","password":"s"}"#), r#"{"password":"***","username":"a"}"#);
        assert_eq!(json(r#"[{"old_password":1}]"#), r#"[{"old_password":"***"}]"#);
        assert_eq!(json(r#"{ "b": 1 }"#), r#"{ "b": 1 }"#);
        assert_eq!(json(r#"{"password": broken"#), "(JSON that cannot be read)");
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let long = "ä".repeat(KEPT);
        let shown = text("text/plain", long.as_bytes()).expect("text");
        assert_eq!(shown.len(), KEPT);
        assert_eq!(text("text/plain", &[0xff, 0xfe]), None);
        assert_eq!(text("image/svg+xml", b"<svg/>"), None);
    }

    #[test]
    fn headers_that_come_twice_are_a_list() {
        let mut headers = HeaderMap::new();
        for value in ["a=1", "b=2", "c=3"] {
            headers.append(actix_web::http::header::SET_COOKIE, value.parse().expect("a value"));
        }
        let message = Message::new(&headers, b"");
        let expected = OneOrMany::Many(vec!["a=1".into(), "b=2".into(), "c=3".into()]);
        assert_eq!(message.headers["set-cookie"], expected);
    }
}
