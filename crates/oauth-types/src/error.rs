//! Error codes with their HTTP status, and an error as the client and the log get it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::rate_limit::RateLimitPolicy;

/// An error code that goes over the wire, with where it is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// RFC 6749 §4.1.2.1, §5.2
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    InvalidScope,
    UnsupportedResponseType,
    AccessDenied,
    ServerError,
    TemporarilyUnavailable,
    /// RFC 8628 §3.5
    AuthorizationPending,
    PolledTooFast,
    ExpiredToken,
    /// OIDC Core §3.1.2.6
    LoginRequired,
    ConsentRequired,
    RequestNotSupported,
    RequestUriNotSupported,
    RegistrationNotSupported,
    /// OIDC Unmet Authentication Requirements 1.0
    UnmetAuthenticationRequirements,
    /// RFC 8707 §2
    InvalidTarget,
    /// RFC 9449 §5
    InvalidDpopProof,
    /// RFC 6750 §3.1
    InvalidToken,
    InsufficientScope,
    /// RFC 9470 §3
    InsufficientUserAuthentication,
    /// Not of an RFC: too many requests, what HTTP itself refuses, and what comes from the wrong place.
    SlowDown,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    PayloadTooLarge,
    UnsupportedMediaType,
    RequestTimeout,
}

impl ErrorCode {
    /// Every code, in the order of their declaration.
    pub const ALL: &'static [Self] = &[
        Self::InvalidRequest,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::UnauthorizedClient,
        Self::UnsupportedGrantType,
        Self::InvalidScope,
        Self::UnsupportedResponseType,
        Self::AccessDenied,
        Self::ServerError,
        Self::TemporarilyUnavailable,
        Self::AuthorizationPending,
        Self::PolledTooFast,
        Self::ExpiredToken,
        Self::LoginRequired,
        Self::ConsentRequired,
        Self::RequestNotSupported,
        Self::RequestUriNotSupported,
        Self::RegistrationNotSupported,
        Self::UnmetAuthenticationRequirements,
        Self::InvalidTarget,
        Self::InvalidDpopProof,
        Self::InvalidToken,
        Self::InsufficientScope,
        Self::InsufficientUserAuthentication,
        Self::SlowDown,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::RequestTimeout,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::AuthorizationPending => "authorization_pending",
            Self::PolledTooFast | Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InsufficientUserAuthentication => "insufficient_user_authentication",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::RequestTimeout => "request_timeout",
        }
    }

    /// Whether it says no more than that a device is to ask again (RFC 8628 §3.5).
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::AuthorizationPending | Self::PolledTooFast)
    }

    /// Whether it decides over the request, and does not only say that the server cannot answer it now.
    pub const fn is_decision(self) -> bool {
        !matches!(self, Self::SlowDown | Self::ServerError | Self::TemporarilyUnavailable)
    }

    /// The HTTP status that belongs to the code; no handler picks one.
    pub const fn status(self) -> u16 {
        match self {
            // RFC 6749 §5.2, RFC 6750 §3.1, RFC 9470 §3
            Self::InvalidClient | Self::InvalidToken | Self::InsufficientUserAuthentication => 401,
            Self::InsufficientScope | Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::SlowDown => 429,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

/// The challenge of a refusal: what `WWW-Authenticate` says (RFC 9110 §11.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthChallenge {
    /// RFC 7617 §2: the client authenticated itself by the header.
    Basic,
    /// RFC 6750 §3
    Bearer(BearerReport),
}

/// What a Bearer challenge says beside its realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BearerReport {
    /// Nothing: a request without any token gets no error code (RFC 6750 §3.1).
    NoToken,
    /// The error.
    Error,
    /// The error, and the scope that is required (RFC 6750 §3.1).
    Scope(String),
    /// The error, and how many seconds old a login may be (RFC 9470 §3).
    MaxAge(i64),
}

/// An error for the client's developer, and what the log gets besides.
#[derive(Debug, Clone)]
pub struct OAuthError {
    pub code: ErrorCode,
    /// A sentence that names the parameter. Public.
    pub description: Cow<'static, str>,
    /// For the log alone.
    pub detail: Option<String>,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
    /// For `WWW-Authenticate`, if that header belongs to the answer.
    pub challenge: Option<AuthChallenge>,
    /// The limit that was exceeded, for the `RateLimit` header fields.
    pub limit: Option<Arc<RateLimitPolicy>>,
}

impl OAuthError {
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self { code, description: description.into(), detail: None, retry_after: None, challenge: None, limit: None }
    }

    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    pub fn invalid_grant(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// One text for all reasons, so that they cannot be told apart.
    pub fn invalid_client(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidClient, "client authentication failed").with_detail(detail)
    }

    pub fn invalid_token(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidToken, "the access token is missing, invalid, expired or revoked")
            .with_challenge(AuthChallenge::Bearer(BearerReport::Error))
            .with_detail(detail)
    }

    /// The request has no token at all.
    pub fn missing_token() -> Self {
        Self::invalid_token("no token").with_challenge(AuthChallenge::Bearer(BearerReport::NoToken))
    }

    /// The token is good for less; the answer names the scope (RFC 6750 §3.1).
    pub fn insufficient_scope(scope: impl Into<String>) -> Self {
        let scope = scope.into();
        Self::new(ErrorCode::InsufficientScope, format!("the scope {scope} is required"))
            .with_challenge(AuthChallenge::Bearer(BearerReport::Scope(scope)))
    }

    /// The person has to log in again (RFC 9470 §3).
    pub fn stale_login(max_age: i64) -> Self {
        Self::new(ErrorCode::InsufficientUserAuthentication, "the person logged in too long ago")
            .with_challenge(AuthChallenge::Bearer(BearerReport::MaxAge(max_age)))
    }

    pub fn unavailable(detail: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorCode::TemporarilyUnavailable, "the server cannot answer right now; try again");
        error.retry_after = Some(2);
        error.with_detail(detail)
    }

    pub fn server_error(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::ServerError, "the server failed; its log has the details under the request id")
            .with_detail(detail)
    }

    pub fn slow_down(retry_after: u64) -> Self {
        let mut error = Self::new(ErrorCode::SlowDown, "too many requests; wait as long as Retry-After says");
        error.retry_after = Some(retry_after);
        error
    }

    #[must_use]
    pub fn with_challenge(mut self, challenge: AuthChallenge) -> Self {
        self.challenge = Some(challenge);
        self
    }

    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The description in the characters that RFC 6749 §5.2 allows.
    pub fn wire_description(&self) -> String {
        self.description
            .chars()
            .map(|c| match c {
                '"' => '\'',
                '\\' => '/',
                '\u{20}'..='\u{7e}' => c,
                _ => '?',
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_has_every_code() {
        let source = include_str!("error.rs").split("pub enum ErrorCode {").nth(1).expect("the declaration");
        let variants =
            source.split("\n}").next().expect("its end").lines().filter_map(|line| line.trim().strip_suffix(','));
        assert_eq!(
            ErrorCode::ALL.iter().map(|code| format!("{code:?}")).collect::<Vec<_>>(),
            variants.collect::<Vec<_>>()
        );
    }

    #[test]
    fn descriptions_keep_to_the_allowed_characters() {
        let error = OAuthError::invalid_request("a \"b\" \\ ü\n");
        assert_eq!(error.wire_description(), "a 'b' / ??");
    }
}
