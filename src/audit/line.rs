//! One event, or one checkpoint, as one line of JSON; and back.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

use crate::domain::chain::Sealed;
use crate::storage::audit_events::StoredEvent;
use crate::support::{Id, hex, unhex};

/// A moment in UTC as RFC 3339 writes it, to the millisecond.
pub fn time(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis)
        .map_or_else(|| millis.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn id_text(id: &[u8]) -> Value {
    match <[u8; 16]>::try_from(id) {
        Ok(bytes) => Id::from_bytes(bytes).to_string().into(),
        Err(_) => hex(id).into(),
    }
}

/// An event for people and machines, with all that its hash was made of.
pub fn event_json(event: &StoredEvent) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            object.insert(name.to_owned(), value);
        }
    };
    put("id", id_text(&event.id));
    put("time", time(event.at_millis).into());
    put("at_millis", event.at_millis.into());
    put("type", event.kind.as_str().into());
    put("outcome", event.outcome.as_str().into());
    put("reason", event.reason.as_deref().into());
    put("client_id", event.client_id.as_deref().into());
    put("subject", event.subject_hash.as_deref().into());
    put("operator", event.operator.as_deref().into());
    put("address", event.address.as_deref().into());
    put("request_id", event.request_id.as_deref().into());
    if let Some(text) = event.detail.as_deref() {
        // What is written again as it was is shown as what it is.
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let again = value.to_string();
        if again == text && !value.is_null() {
            put("detail", value);
        } else {
            put("detail_text", text.into());
        }
    }
    put("writer", event.writer.as_deref().map_or(Value::Null, id_text));
    put("sequence", event.sequence.into());
    put("hash", event.hash.as_deref().map(hex).into());
    Value::Object(object)
}

/// A line of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The first one.
    Header(Header),
    Event(Box<StoredEvent>),
    Checkpoint(Sealed),
}

/// What an export says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    pub at_millis: i64,
    /// Of the events that are in it, if not all are.
    pub since_millis: Option<i64>,
    pub until_millis: Option<i64>,
    /// The trail's key, sealed with the encryption key.
    pub sealed_key: Option<String>,
}

const FORMAT: i64 = 1;

impl Line {
    pub fn to_json(&self) -> Value {
        let (record, mut value) = match self {
            Self::Header(header) => (
                "export",
                json!({
                    "format": FORMAT, "time": time(header.at_millis), "at_millis": header.at_millis,
                    "since_millis": header.since_millis, "until_millis": header.until_millis,
                    "sealed_key": header.sealed_key,
                }),
            ),
            Self::Event(event) => ("event", event_json(event)),
            Self::Checkpoint(sealed) => (
                "checkpoint",
                json!({
                    "number": sealed.number, "at_millis": sealed.at_millis, "body": sealed.body,
                    "mac": hex(&sealed.mac),
                }),
            ),
        };
        value["record"] = record.into();
        value
    }

    /// # Errors
    /// A sentence that says what the line is not.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|e| format!("it is no JSON: {e}"))?;
        let number = |name: &str| value[name].as_i64().ok_or_else(|| format!("it has no number {name}"));
        match value["record"].as_str() {
            Some("export") if value["format"] == FORMAT => Ok(Self::Header(Header {
                at_millis: number("at_millis")?,
                since_millis: value["since_millis"].as_i64(),
                until_millis: value["until_millis"].as_i64(),
                sealed_key: value["sealed_key"].as_str().map(str::to_owned),
            })),
            Some("export") => {
                Err(format!("the export has the format {}, and this version knows {FORMAT}", value["format"]))
            }
            Some("checkpoint") => Ok(Self::Checkpoint(Sealed {
                number: number("number")?,
                at_millis: number("at_millis")?,
                body: value["body"].as_str().unwrap_or_default().to_owned(),
                mac: value["mac"].as_str().and_then(unhex).unwrap_or_default(),
            })),
            Some("event") => event(&value).map(|event| Self::Event(Box::new(event))),
            _ => Err("it is no line of an export of the audit trail".to_owned()),
        }
    }
}

fn event(value: &Value) -> Result<StoredEvent, String> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let id = |name: &str| match text(name) {
        None => Ok(None),
        Some(text) => match text.parse::<Id>() {
            Ok(id) => Ok(Some(id.as_bytes().to_vec())),
            Err(_) => unhex(&text).map(Some).ok_or_else(|| format!("{name} is no identifier")),
        },
    };
    let detail = match &value["detail"] {
        Value::Null => text("detail_text"),
        detail => Some(detail.to_string()),
    };
    Ok(StoredEvent {
        id: id("id")?.ok_or("it has no id")?,
        at_millis: value["at_millis"].as_i64().ok_or("it has no number at_millis")?,
        kind: text("type").ok_or("it has no type")?,
        outcome: text("outcome").ok_or("it has no outcome")?,
        reason: text("reason"),
        client_id: text("client_id"),
        subject_hash: text("subject"),
        operator: text("operator"),
        address: text("address"),
        request_id: text("request_id"),
        detail,
        writer: id("writer")?,
        sequence: value["sequence"].as_i64(),
        hash: text("hash").and_then(|text| unhex(&text)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_leads_back_to_what_it_was_made_of() {
        let event = |detail: Option<&str>, operator: Option<&str>| StoredEvent {
            id: vec![1; 16],
            at_millis: 1_763_812_800_123,
            kind: "token_issued".to_owned(),
            outcome: "success".to_owned(),
            client_id: Some("app \"1\"".to_owned()),
            subject_hash: None,
            address: Some("2001:db8::1".to_owned()),
            request_id: None,
            detail: detail.map(str::to_owned),
            writer: Some(vec![2; 16]),
            sequence: Some(7),
            reason: None,
            operator: operator.map(str::to_owned),
            hash: Some(vec![3; 32]),
        };
        let details =
            [None, Some("{\"b\":1,\"a\":[null]}"), Some("{\"a\": 1}"), Some("null"), Some("no JSON"), Some("1.0")];
        let events = details.map(|detail| Line::Event(Box::new(event(detail, Some("root")))));
        let bare = StoredEvent { id: vec![1], writer: None, sequence: None, hash: None, ..event(None, None) };
        let header = Header { at_millis: 5, since_millis: Some(3), ..Header::default() };
        let checkpoint = Sealed { number: 1, at_millis: 2, body: "{\"a\": 1}".to_owned(), mac: vec![9; 32] };
        let others = [Line::Event(Box::new(bare)), Line::Header(header), Line::Checkpoint(checkpoint)];
        for line in events.into_iter().chain(others) {
            assert_eq!(Line::parse(&line.to_json().to_string()), Ok(line));
        }
        assert!(Line::parse("{}").is_err() && Line::parse("x").is_err());
        assert_eq!(time(1_763_812_800_123), "2025-11-22T12:00:00.123Z");
    }
}
