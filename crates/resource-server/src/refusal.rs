//! How a caller is refused (RFC 6750 §3, RFC 9470 §3, RFC 9728 §5.1).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use latchway_core::Seconds;
use latchway_oauth_types::{ErrorCode, OAuthError};
use serde_json::json;

use crate::remote::Unavailable;
use crate::token::Invalid;

/// Why a request is not let through.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// No credentials of a kind that is understood: 401 without an error code.
    Missing,
    /// Credentials twice, malformed, or where they must not be: 400.
    InvalidRequest(&'static str),
    /// Credentials that do not count: 401.
    InvalidToken(&'static str),
    /// Good credentials that do not allow this: 403.
    InsufficientScope {
        /// What would have to be asked for; empty if asking does not help.
        scope: Vec<Cow<'static, str>>,
        description: Cow<'static, str>,
    },
    /// The person must prove again who they are: 401 (RFC 9470).
    InsufficientAuthentication {
        /// In seconds.
        max_age: Seconds,
    },
    /// A browser sent its cookie for a page of somebody else: 403.
    CrossSite(&'static str),
    /// The issuer answers no more questions about this API key for a while: 429.
    TooOften {
        /// In seconds.
        retry_after: u32,
    },
    /// Nobody can tell now whether the credentials count: 503.
    Unavailable {
        /// In seconds.
        retry_after: u32,
    },
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::InvalidToken(invalid.0)
    }
}

impl From<Unavailable> for Refusal {
    fn from(unavailable: Unavailable) -> Self {
        tracing::warn!(reason = %unavailable, "a request was refused since nobody can tell whether it may pass");
        Self::Unavailable { retry_after: 5 }
    }
}

impl Refusal {
    fn code(&self) -> Option<ErrorCode> {
        Some(match self {
            Self::Missing => return None,
            Self::InvalidRequest(_) => ErrorCode::InvalidRequest,
            Self::InvalidToken(_) => ErrorCode::InvalidToken,
            Self::InsufficientScope { .. } => ErrorCode::InsufficientScope,
            Self::InsufficientAuthentication { .. } => ErrorCode::InsufficientUserAuthentication,
            Self::CrossSite(_) => ErrorCode::Forbidden,
            Self::TooOften { .. } => ErrorCode::SlowDown,
            Self::Unavailable { .. } => ErrorCode::TemporarilyUnavailable,
        })
    }

    fn description(&self) -> Cow<'static, str> {
        match self {
            Self::Missing => "this needs an access token".into(),
            Self::InvalidRequest(why) | Self::InvalidToken(why) | Self::CrossSite(why) => (*why).into(),
            Self::InsufficientScope { description, .. } => description.clone(),
            Self::InsufficientAuthentication { .. } => "a more recent login is required".into(),
            Self::TooOften { .. } => "too many requests; wait as long as Retry-After says".into(),
            Self::Unavailable { .. } => "whether the credentials count cannot be told right now; try again".into(),
        }
    }

    fn status(&self) -> u16 {
        self.code().map_or(401, ErrorCode::status)
    }
}

/// What all challenges of one API have in common.
#[derive(Debug)]
pub(crate) struct Challenge {
    pub realm: String,
    pub resource_metadata: Option<String>,
}

impl Challenge {
    fn header(&self, refusal: &Refusal) -> String {
        let mut header = format!("Bearer realm=\"{}\"", quotable(&self.realm));
        let mut add = |name: &str, value: &str| {
            header.push_str(&format!(", {name}=\"{}\"", quotable(value)));
        };
        // RFC 6750 §3.1: who did not try is not told that they failed.
        if let Some(code) = refusal.code() {
            add("error", code.as_str());
            add("error_description", &refusal.description());
        }
        match refusal {
            Refusal::InsufficientScope { scope, .. } if !scope.is_empty() => add("scope", &scope.join(" ")),
            Refusal::InsufficientAuthentication { max_age } => add("max_age", &max_age.to_string()),
            _ => {}
        }
        if let Some(url) = &self.resource_metadata {
            add("resource_metadata", url);
        }
        header
    }
}

/// In the characters that RFC 6750 §3 allows between quotes.
fn quotable(text: &str) -> String {
    OAuthError::invalid_request(text.to_owned()).wire_description()
}

/// A refusal as an answer, with its status, its headers and a body in JSON. The features `actix` and `tower` make it a response
/// of their framework.
#[derive(Debug, Clone)]
pub struct Refused {
    pub refusal: Refusal,
    challenge: Arc<Challenge>,
}

impl Refused {
    pub(crate) fn new(refusal: Refusal, challenge: &Arc<Challenge>) -> Self {
        Self { refusal, challenge: Arc::clone(challenge) }
    }

    /// The status of the HTTP answer: 400, 401, 403, 429 or 503.
    pub fn status(&self) -> u16 {
        self.refusal.status()
    }

    /// All headers that the answer needs, `WWW-Authenticate` and the type of its body among them.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers =
            vec![("content-type", "application/json".to_owned()), ("cache-control", "no-store".to_owned())];
        match &self.refusal {
            Refusal::Unavailable { retry_after } | Refusal::TooOften { retry_after } => {
                headers.push(("retry-after", retry_after.to_string()));
            }
            Refusal::CrossSite(_) => {}
            refusal => headers.push(("www-authenticate", self.challenge.header(refusal))),
        }
        headers
    }

    /// The JSON body: `error` and `error_description`.
    pub fn body(&self) -> String {
        let error = self.refusal.code().map_or("unauthorized", ErrorCode::as_str);
        json!({"error": error, "error_description": quotable(&self.refusal.description())}).to_string()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.refusal.description())
    }
}

impl std::error::Error for Refused {}
