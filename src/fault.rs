//! Why a request was not served. `http/error.rs` alone turns it into an answer.

use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{StorageError, WriteError};

/// A refusal, by the form in which it must reach whoever asked.
#[derive(Debug)]
pub enum Fault {
    /// JSON for a client's developer.
    OAuth(OAuthError),
    /// A page for a person.
    Page(Problem, Option<String>),
    /// A page for a person, with the way back to the app that they came from.
    WayBack { problem: Problem, detail: Option<String>, back: Box<WayBack> },
    /// An authorization request that no answer to an app can be given to (RFC 6749 §4.1.2.1), with what was sent.
    Target(Box<TargetRefusal>),
    /// JSON for a proxy, whose browser can mend it: where to log in, and a cookie that this begins with.
    SignIn { error: Box<OAuthError>, login: Box<str>, cookie: Option<Box<str>> },
    /// The client was changed by somebody while it was being served: begin again with what it is now.
    ClientChanged,
    /// The database, in whatever form the path answers in.
    Storage(StorageError),
}

/// Where a person goes on from a page that ends here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayBack {
    /// What the app is called.
    pub name: String,
    /// A page of the app.
    pub url: String,
}

/// Whose authorization request it was and what did not fit, for the app's developer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRefusal {
    pub problem: Problem,
    /// For the page and the log.
    pub sentence: &'static str,
    /// As it was sent.
    pub client_id: Option<String>,
    /// As it was sent.
    pub redirect_uri: Option<String>,
    /// In development mode: what is registered, how it differs, and what adds it. Label and value.
    pub hints: Vec<(&'static str, String)>,
}

/// What a person is told, with what to do next. The texts are in `pages/errors.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    MalformedRequest,
    UnknownClient,
    RedirectUri,
    /// The login took too long, or began in another browser.
    Expired,
    /// It was finished before.
    Answered,
    /// A login that was finished before.
    Finished,
    CookiesMissing,
    /// A form that was not sent by our own page.
    Forged,
    LinkUsed,
    NotFound,
    MethodNotAllowed,
    TooLarge,
    /// Not the media type of a form.
    UnsupportedMediaType,
    TooMany {
        retry_after: u64,
    },
    /// No capacity now.
    Unavailable {
        retry_after: u64,
    },
    Internal,
    Timeout,
}

impl Problem {
    /// The HTTP status of the page.
    pub const fn status(&self) -> u16 {
        match self {
            Self::MalformedRequest | Self::UnknownClient | Self::RedirectUri => 400,
            Self::Expired | Self::CookiesMissing => 400,
            Self::Answered | Self::Finished | Self::Forged => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::LinkUsed => 410,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::TooMany { .. } => 429,
            Self::Internal => 500,
            Self::Unavailable { .. } | Self::Timeout => 503,
        }
    }

    /// Whether the page says what it was to the app's developer as well.
    pub const fn is_of_the_app(&self) -> bool {
        matches!(self, Self::MalformedRequest | Self::UnknownClient | Self::RedirectUri)
    }

    /// The error of the same meaning, for paths that answer in JSON and for the log.
    pub fn oauth_equivalent(&self) -> OAuthError {
        let error = |code, sentence: &'static str| OAuthError::new(code, sentence);
        let invalid = |sentence: &'static str| OAuthError::invalid_request(sentence);
        match self {
            Self::MalformedRequest => invalid("the request is malformed"),
            Self::UnknownClient => invalid("client_id names no active client"),
            Self::RedirectUri => invalid("redirect_uri is not one of the client's"),
            Self::Answered => error(ErrorCode::AccessDenied, "the transaction was answered"),
            Self::Finished => error(ErrorCode::AccessDenied, "the login was finished"),
            Self::Expired => invalid("the transaction has ended"),
            Self::CookiesMissing => invalid("a cookie is missing"),
            Self::Forged => error(ErrorCode::AccessDenied, "the form was not ours"),
            Self::LinkUsed => invalid("the link was used"),
            Self::NotFound => error(ErrorCode::NotFound, "there is nothing at this path"),
            Self::MethodNotAllowed => error(ErrorCode::MethodNotAllowed, "this path does not take this method"),
            Self::TooLarge => error(ErrorCode::PayloadTooLarge, "the request is too large"),
            Self::UnsupportedMediaType => error(ErrorCode::UnsupportedMediaType, "the body is of another media type"),
            Self::Timeout => {
                let timeout = error(ErrorCode::RequestTimeout, "the request was not complete in time");
                OAuthError { retry_after: Some(1), ..timeout }
            }
            Self::TooMany { retry_after } => OAuthError::slow_down(*retry_after),
            Self::Unavailable { retry_after } => {
                OAuthError { retry_after: Some(*retry_after), ..OAuthError::unavailable("unavailable") }
            }
            Self::Internal => OAuthError::server_error("a page failed"),
        }
    }
}

impl Fault {
    pub fn page(problem: Problem, detail: impl Into<String>) -> Self {
        Self::Page(problem, Some(detail.into()))
    }

    /// The same page with a link to the app, where that is known.
    #[must_use]
    pub fn with_way_back(self, back: Option<WayBack>) -> Self {
        match (self, back) {
            (Self::Page(problem, detail), Some(back)) => Self::WayBack { problem, detail, back: Box::new(back) },
            (fault, _) => fault,
        }
    }

    /// Which page this is; `None` if it is none.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Page(problem, _) | Self::WayBack { problem, .. } => Some(problem),
            Self::Target(refusal) => Some(&refusal.problem),
            _ => None,
        }
    }
}

impl From<OAuthError> for Fault {
    fn from(error: OAuthError) -> Self {
        Self::OAuth(error)
    }
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl WriteError for Fault {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}

/// What a storage failure is to a client: passing troubles are 503, contradictions in our own data are 500.
pub fn storage_code(error: &StorageError) -> ErrorCode {
    match error {
        StorageError::Busy
        | StorageError::Timeout
        | StorageError::Locked
        | StorageError::Unavailable(_)
        | StorageError::Newer
        | StorageError::Query(_)
        | StorageError::Conflict(_) => ErrorCode::TemporarilyUnavailable,
        StorageError::InvalidRow(_) | StorageError::Panicked(_) => ErrorCode::ServerError,
    }
}
