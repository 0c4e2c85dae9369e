//! What a rule does, checked.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Bytes;
use serde_json::Value;

use super::RuleError;
use super::chance::Chance;
use super::settings::{DelaySettings, DropSettings, MatchSettings, OauthErrorSettings, ThenTable};
use crate::protocol::endpoints;

/// Longer delays are refused, in milliseconds.
const MAX_DELAY: u32 = 600_000;

/// What happens to one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Before anything else.
    pub delay: Option<Duration>,
    pub then: Then,
    /// Bytes a second of the answer's body.
    pub slow_body: Option<u32>,
}

/// What happens instead of an answer. [`Then::answer`] makes those that are one.
#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    /// The request is served.
    Pass,
    /// Signing keys are rotated, then it is served.
    RotateKeys,
    OauthError {
        error: String,
        description: String,
        status: Option<StatusCode>,
    },
    Status {
        status: StatusCode,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Bytes,
    },
    RateLimited {
        retry_after: u32,
    },
    /// The connection is closed without an answer.
    Drop,
    /// It is served, and the connection is closed in the middle of the body.
    DropMidBody,
}

/// `then`, ready to be used.
#[derive(Debug, Clone)]
pub(super) struct Act {
    /// None for a delay or a slow body alone, which let the search go on.
    pub then: Option<Then>,
    pub slow_body: Option<u32>,
    delay: Option<Delay>,
}

#[derive(Debug, Clone, Copy)]
enum Delay {
    Fixed(u32),
    LogNormal { median: f64, sigma: f64 },
}

impl Act {
    pub fn new(table: &ThenTable) -> Result<Self, RuleError> {
        let mut given: Vec<(&str, Then)> = Vec::new();
        let oauth = |error: &str, description: &str| Then::OauthError {
            error: error.to_owned(),
            description: description.to_owned(),
            status: None,
        };
        if let Some(settings) = &table.oauth_error {
            given.push(("oauth_error", oauth_error(settings)?));
        }
        if let Some(status) = table.status {
            given.push(("status", plain(status, table)?));
        } else if !table.headers.is_empty() || table.body.is_some() {
            return Err(RuleError::invalid("then", "headers and body belong to a status, which is missing"));
        }
        if let Some(settings) = &table.rate_limited {
            given.push(("rate_limited", Then::RateLimited { retry_after: settings.retry_after }));
        }
        match table.drop {
            Some(DropSettings::AtOnce) => given.push(("drop", Then::Drop)),
            Some(DropSettings::MidBody) => given.push(("drop", Then::DropMidBody)),
            None => {}
        }
        if table.jwks_outage {
            given.push(("jwks_outage", plain(503, &ThenTable::default())?));
        }
        if table.rotate_keys {
            given.push(("rotate_keys", Then::RotateKeys));
        }
        if table.refresh_token_expired {
            given.push(("refresh_token_expired", oauth("invalid_grant", "the refresh token has expired")));
        }
        if table.device_pending {
            given.push(("device_pending", oauth("authorization_pending", "nobody has decided yet")));
        }
        if table.device_slow_down {
            given.push(("device_slow_down", oauth("slow_down", "wait five seconds longer between two requests")));
        }
        if table.pass {
            given.push(("pass", Then::Pass));
        }
        if let [first, second, ..] = &given[..] {
            return Err(RuleError::invalid("then", format!("{} and {} exclude each other", first.0, second.0)));
        }
        let delay = table.delay.as_ref().map(Delay::new).transpose()?;
        let slow_body = table.slow_body.map(|settings| settings.bytes_per_second);
        if slow_body == Some(0) {
            return Err(RuleError::invalid("then.slow_body.bytes_per_second", "it must be at least 1"));
        }
        if given.is_empty() && delay.is_none() && slow_body.is_none() {
            let members = "oauth_error, status, rate_limited, delay, drop, slow_body, jwks_outage, rotate_keys, \
                           refresh_token_expired, device_pending, device_slow_down, pass";
            return Err(RuleError::invalid("then", format!("it is empty: give one of {members}")));
        }
        Ok(Self { then: given.pop().map(|(_, then)| then), slow_body, delay })
    }

    /// How long the `n`th request waits.
    pub fn delay(&self, chance: Chance, n: u64) -> Option<Duration> {
        let millis = match self.delay? {
            Delay::Fixed(millis) => f64::from(millis),
            Delay::LogNormal { median, sigma } => chance.log_normal(median, sigma, n),
        };
        Some(Duration::from_secs_f64(millis.clamp(0.0, f64::from(MAX_DELAY)) / 1000.0))
    }
}

/// The requests that a name means by itself, where a rule says nothing else.
pub(super) fn with_meaning(mut wanted: MatchSettings, table: &ThenTable) -> MatchSettings {
    let grant = if table.refresh_token_expired {
        Some("refresh_token")
    } else if table.device_pending || table.device_slow_down {
        // RFC 8628 §3.4
        Some("urn:ietf:params:oauth:grant-type:device_code")
    } else {
        None
    };
    let path = if table.jwks_outage { Some(endpoints::JWKS) } else { grant.map(|_| endpoints::TOKEN) };
    if path.is_some() && wanted.path.is_none() {
        wanted.path = path.map(str::to_owned);
        wanted.place.get_or_insert_with(|| "issuer".to_owned());
    }
    if grant.is_some() && wanted.grant_type.is_none() {
        wanted.grant_type = grant.map(str::to_owned);
    }
    wanted
}

fn oauth_error(settings: &OauthErrorSettings) -> Result<Then, RuleError> {
    let at = "then.oauth_error";
    // RFC 6749 §5.2: what the characters may be.
    let fine = |text: &str| text.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\'));
    if settings.error.is_empty() || !fine(&settings.error) {
        return Err(RuleError::invalid(format!("{at}.error"), "it must be a code such as invalid_grant"));
    }
    let description = settings.description.clone().unwrap_or_else(|| "a rule of this mock says so".to_owned());
    if !fine(&description) {
        let why = "it must be visible ASCII without quotes and backslashes (RFC 6749 §5.2)";
        return Err(RuleError::invalid(format!("{at}.description"), why));
    }
    let status = settings.status.map(|status| code(&format!("{at}.status"), status)).transpose()?;
    Ok(Then::OauthError { error: settings.error.clone(), description, status })
}

fn plain(status: u16, table: &ThenTable) -> Result<Then, RuleError> {
    let status = code("then.status", status)?;
    let mut headers = Vec::new();
    for (name, value) in &table.headers {
        let at = || format!("then.headers.{name}");
        let key = HeaderName::try_from(name.as_str()).map_err(|_| RuleError::invalid(at(), "no name of a header"))?;
        let value = HeaderValue::from_str(value).map_err(|_| RuleError::invalid(at(), "no value of a header"))?;
        if ["content-length", "transfer-encoding", "connection"].contains(&key.as_str()) {
            return Err(RuleError::invalid(at(), "this header belongs to the connection; see drop"));
        }
        headers.push((key, value));
    }
    let has_type = headers.iter().any(|(name, _)| name == "content-type");
    let kind = |text: &'static str| (HeaderName::from_static("content-type"), HeaderValue::from_static(text));
    let (body, usual) = match &table.body {
        None => (Bytes::new(), None),
        Some(Value::String(text)) => (Bytes::from(text.clone()), Some(kind("text/plain; charset=utf-8"))),
        Some(other) => (Bytes::from(other.to_string()), Some(kind("application/json"))),
    };
    headers.extend(usual.filter(|_| !has_type));
    Ok(Then::Status { status, headers, body })
}

fn code(at: &str, status: u16) -> Result<StatusCode, RuleError> {
    StatusCode::from_u16(status)
        .ok()
        .filter(|status| (200..600).contains(&status.as_u16()))
        .ok_or_else(|| RuleError::invalid(at, format!("{status} is not between 200 and 599")))
}

impl Delay {
    fn new(settings: &DelaySettings) -> Result<Self, RuleError> {
        let bad = |why: String| Err(RuleError::invalid("then.delay", why));
        let (millis, delay) = match *settings {
            DelaySettings { ms: Some(ms), median_ms: None, sigma: None } => (ms, Self::Fixed(ms)),
            DelaySettings { ms: None, median_ms: Some(median), sigma } => {
                let sigma = sigma.unwrap_or(0.5);
                if !(0.0..=3.0).contains(&sigma) {
                    return bad(format!("sigma = {sigma} is not between 0 and 3"));
                }
                (median, Self::LogNormal { median: f64::from(median), sigma })
            }
            _ => return bad("give either ms, or median_ms and sigma".to_owned()),
        };
        if millis > MAX_DELAY {
            return bad(format!("{millis} ms are more than {MAX_DELAY}"));
        }
        Ok(delay)
    }
}
