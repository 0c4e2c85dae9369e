//! One entry of the journal: a request, its answer, and what its handler reported.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use serde_json::Value;

use super::reading::{self, Message};
use super::reasons;
use crate::mock::place::Place;
use crate::mock::rules::Taken;
use crate::mock::seen::Seen;
use latchway_mock_api::NearMiss;

/// What whoever served a request tells of it. It travels in the request's extensions.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The route, such as `GET /pets/{petId} (api.yaml)`.
    pub matched: Option<String>,
    pub near: Vec<NearMiss>,
    /// If the answer does not say.
    pub refused: Option<String>,
    /// Of a credential that is no JWT, from which they can be read.
    pub claims: Option<Value>,
}

/// One request and its answer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Entry {
    /// From 1, without gaps.
    pub sequence: u64,
    /// In the time of its world (RFC 3339).
    pub time: String,
    /// `issuer` or `api`.
    pub place: &'static str,
    /// The path prefix of the issuer, empty for the main one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    pub method: String,
    /// With the issuer's prefix.
    pub path: String,
    pub query: String,
    /// None: the connection was closed without an answer.
    pub status: Option<u16>,
    /// In milliseconds, as they really passed.
    pub duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched: Option<String>,
    /// The rules that made trouble.
    pub rules: Vec<String>,
    /// What nearly matched, and why it did not.
    pub near: Vec<NearMiss>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Of the JWT that was presented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<Value>,
    pub request: Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Message>,
}

impl Entry {
    /// A request that begins at `now_millis`.
    pub fn of(seen: &Seen, now_millis: i64) -> Self {
        let (place, issuer) = match &seen.place {
            Place::Issuer { prefix } => ("issuer", Some(prefix.clone())),
            Place::Api => ("api", None),
            Place::Control => ("control", None),
        };
        Self {
            time: moment(now_millis),
            place,
            issuer,
            method: seen.method.to_string(),
            path: seen.full_path.clone(),
            query: reading::form(&seen.query),
            client_id: seen.client_id.clone(),
            claims: reasons::claims(seen),
            request: Message::new(&seen.headers, &seen.body),
            ..Self::default()
        }
    }

    /// What the rules made of it.
    pub fn troubled(&mut self, taken: Taken) {
        self.rules = taken.matched;
        self.near.extend(taken.near);
    }

    /// What whoever served it tells.
    pub fn told(&mut self, told: Told) {
        self.matched = told.matched;
        self.near.extend(told.near);
        self.refused = told.refused;
        self.claims = self.claims.take().or(told.claims);
    }

    /// How it was answered.
    pub fn answered(&mut self, status: StatusCode, headers: &HeaderMap, body: &[u8]) {
        self.status = Some(status.as_u16());
        self.refused = reasons::refusal(status, headers, body).or_else(|| self.refused.take());
        self.response = Some(Message::new(headers, body));
    }

    /// How long that took.
    pub fn took(&mut self, duration: Duration) {
        // Microseconds are enough, and read better.
        self.duration_ms = (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0;
    }
}

/// A time in Unix milliseconds as RFC 3339 writes it.
pub fn moment(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}
