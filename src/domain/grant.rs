//! A grant with its stages, and the authorization code that begins it.

use super::{OFFLINE_ACCESS, Scopes, words};
use crate::support::{Id, Seconds};

/// Whether what a person allowed still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantStage {
    Live,
    Revoked { at: Seconds },
}

words! {
    /// How a family of tokens began.
    GrantOrigin {
        /// At the authorization endpoint, where the person decided.
        Authorization = "authorization",
        /// By a login of the operator's own app, where nobody is asked.
        FirstParty = "first_party",
        /// At a device without a browser; the person decided elsewhere (RFC 8628).
        Device = "device",
    }
}

/// Whether a family has refresh tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    Refreshable,
    Once,
}

/// The last use of a family is written down at most so often, in seconds: it is for people to read, and not worth a write
/// for every refresh.
pub const USE_GRAIN: Seconds = 300;

/// One person's permission to one client, from one consent or login: the family of all tokens that come of it.
#[derive(Debug, Clone)]
pub struct Grant {
    pub id: Id,
    pub client_id: String,
    pub user_id: Id,
    pub session_id: Option<Id>,
    pub scope: Scopes,
    /// The APIs it is for (RFC 8707).
    pub resources: Vec<String>,
    pub nonce: Option<String>,
    pub auth_time: Seconds,
    pub created_at: Seconds,
    /// The end of the family, however often it is refreshed.
    pub expires_at: Seconds,
    pub renewal: Renewal,
    /// When it was last refreshed, to within [`USE_GRAIN`].
    pub used_at: Seconds,
    pub stage: GrantStage,
    pub origin: GrantOrigin,
}

impl Grant {
    /// Whether it outlives the login session in which it was given (OIDC Core §11). The login of a first-party app is such a
    /// session itself.
    pub fn is_offline(&self) -> bool {
        self.origin != GrantOrigin::FirstParty && self.scope.contains(OFFLINE_ACCESS)
    }
}

/// Where an authorization code is in its short life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeStage {
    Issued,
    Consumed { at: Seconds },
}

/// An authorization code (RFC 6749 §4.1.2), without its secret.
#[derive(Debug, Clone)]
pub struct Code {
    pub id: Id,
    pub secret_hash: Vec<u8>,
    pub grant_id: Id,
    /// As the authorization request sent it; `None` when it left the choice to the only registered one.
    pub sent_redirect_uri: Option<String>,
    pub redirect_uri: String,
    pub code_challenge: Option<String>,
    pub expires_at: Seconds,
    pub stage: CodeStage,
    /// Wrong verifiers so far.
    pub failures: i64,
}

/// Where a refresh token is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshStage {
    Live,
    /// Used; for a short while its bearer gets the family's live successor.
    Rotated {
        at: Seconds,
        /// The next token, sealed with a key derived from this one. Under the strict policy it is gone as soon as an access
        /// token of that answer was used.
        successor: Option<Vec<u8>>,
    },
}

/// A refresh token (RFC 6749 §6), without its secret.
#[derive(Debug, Clone)]
pub struct RefreshToken {
    pub id: Id,
    pub secret_hash: Vec<u8>,
    pub grant_id: Id,
    /// The one before it in its family.
    pub parent_id: Option<Id>,
    pub expires_at: Seconds,
    pub stage: RefreshStage,
}

/// An access token that was issued, as it is listed and revoked.
#[derive(Debug, Clone)]
pub struct AccessToken {
    pub jti: Id,
    pub grant_id: Option<Id>,
    pub client_id: String,
    /// The person, or the client itself (RFC 9068 §2.2).
    pub subject: String,
    pub scope: Scopes,
    pub audience: Vec<String>,
    pub issued_at: Seconds,
    pub expires_at: Seconds,
    /// The refresh token whose use made it, if one did.
    pub refreshed_from: Option<Id>,
}
