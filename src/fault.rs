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

/// What a person is told, with what to do next. The texts are in `http/error.rs`.
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
    TooMany {
        retry_after: u64,
    },
    Unavailable,
    Internal,
    Timeout,
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
        | StorageError::Unavailable(_)
        | StorageError::Newer
        | StorageError::Query(_)
        | StorageError::Conflict(_) => ErrorCode::TemporarilyUnavailable,
        StorageError::InvalidRow(_) | StorageError::Panicked(_) => ErrorCode::ServerError,
    }
}
