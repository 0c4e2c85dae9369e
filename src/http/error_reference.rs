//! `docs/reference/errors.md`: every error code and every error page.

use crate::pages::samples::error_pages;
use crate::protocol::ErrorCode::{self, *};
use crate::support::reference::{check_block, table};

/// Where a code is defined, when the server answers it, and what to do. The compiler asks for every new code.
const fn explained(code: ErrorCode) -> (&'static str, &'static str, &'static str) {
    match code {
        InvalidRequest => (
            "RFC 6749 §5.2",
            "A parameter is missing, malformed, repeated or contradicts another one; the sentence names it.",
            "Correct the request.",
        ),
        InvalidClient => (
            "RFC 6749 §5.2",
            "Client authentication failed: unknown client, wrong secret or assertion, wrong method, two methods.",
            "Check id, secret and method with `latchway client show`; the audit trail has the reason.",
        ),
        InvalidGrant => (
            "RFC 6749 §5.2",
            "The code, refresh token or device code is unknown, expired, used, revoked or another client's; a wrong code \
             verifier; at the first-party API a wrong password.",
            "Begin the authorization again. Do not repeat the request.",
        ),
        UnauthorizedClient => (
            "RFC 6749 §5.2",
            "The client is not registered for this grant type, or is not a first-party client.",
            "Change the registration with `latchway client update`.",
        ),
        UnsupportedGrantType => {
            ("RFC 6749 §5.2", "The grant type is not offered.", "Use one of `grant_types_supported`.")
        }
        InvalidScope => (
            "RFC 6749 §5.2",
            "The scope is malformed, or the client may have none of it.",
            "Ask for scopes that the client is registered for.",
        ),
        UnsupportedResponseType => {
            ("RFC 6749 §4.1.2.1", "Another response type than `code`.", "Use `response_type=code`.")
        }
        AccessDenied => (
            "RFC 6749 §4.1.2.1, RFC 8628 §3.5",
            "The person refused, or a form was not sent by the server's own page.",
            "Nothing, or begin again.",
        ),
        ServerError => ("RFC 6749 §4.1.2.1", "The server failed.", "Look into the log by the request id."),
        TemporarilyUnavailable => (
            "RFC 6749 §4.1.2.1",
            "The server or its database cannot answer now.",
            "Try again after `Retry-After` seconds; see [overload.md](overload.md).",
        ),
        AuthorizationPending => {
            ("RFC 8628 §3.5", "Nobody has decided about the device yet.", "Poll again after `interval` seconds.")
        }
        PolledTooFast => (
            "RFC 8628 §3.5",
            "The device polled before `interval` seconds had passed.",
            "Add five seconds to the interval and go on.",
        ),
        ExpiredToken => ("RFC 8628 §3.5", "The device code has expired.", "Begin a new device authorization."),
        LoginRequired => (
            "OpenID Connect Core §3.1.2.6",
            "`prompt=none`, and no session meets the request.",
            "Send the request without `prompt=none`.",
        ),
        ConsentRequired => (
            "OpenID Connect Core §3.1.2.6",
            "`prompt=none`, and the person has to be asked.",
            "Send the request without `prompt=none`.",
        ),
        RequestNotSupported => {
            ("OpenID Connect Core §3.1.2.6", "`request` is not offered.", "Send the parameters themselves.")
        }
        RequestUriNotSupported => {
            ("OpenID Connect Core §3.1.2.6", "`request_uri` is not offered.", "Send the parameters themselves.")
        }
        RegistrationNotSupported => (
            "OpenID Connect Core §3.1.2.6",
            "`registration` is not offered.",
            "Register the client with `latchway client create`.",
        ),
        UnmetAuthenticationRequirements => (
            "OpenID Connect Unmet Authentication Requirements 1.0",
            "An essential `acr` cannot be met.",
            "Ask for one of `acr_values_supported`.",
        ),
        InvalidTarget => (
            "RFC 8707 §2",
            "`resource` is malformed, or the client or grant does not have it.",
            "Ask for an API that the client is registered for, spelled exactly so.",
        ),
        InvalidDpopProof => ("RFC 9449 §5", "DPoP is not offered.", "Ask for bearer tokens."),
        InvalidToken => (
            "RFC 6750 §3.1",
            "The access token or API key is missing, malformed, expired, revoked or for another audience.",
            "Get a new token.",
        ),
        InsufficientScope => {
            ("RFC 6750 §3.1", "The token lacks a scope; the challenge names it.", "Ask the person for that scope.")
        }
        InsufficientUserAuthentication => (
            "RFC 9470 §3",
            "The login is older than this request allows; the challenge has `max_age`.",
            "Let the person log in again, with that `max_age`.",
        ),
        SlowDown => (
            "RFC 6585 §4 (the status)",
            "A rate limit or a limit on guesses is reached.",
            "Wait `Retry-After` seconds; see [overload.md](overload.md).",
        ),
        Forbidden => ("RFC 9110 §15.5.4", "The request comes from where it must not come from.", "See the sentence."),
        NotFound => {
            ("RFC 9110 §15.5.5", "There is nothing at this path, or no such object of yours.", "Check the URL.")
        }
        MethodNotAllowed => ("RFC 9110 §15.5.6", "The path does not have this method.", "Use one of those in `Allow`."),
        PayloadTooLarge => {
            ("RFC 9110 §15.5.14", "The body, the URL or the headers are larger than this path accepts.", "Send less.")
        }
        UnsupportedMediaType => (
            "RFC 9110 §15.5.16",
            "The body has another media type than this path reads.",
            "Send a form (`application/x-www-form-urlencoded`), or JSON at the API.",
        ),
        RequestTimeout => ("RFC 9110 §15.5.9", "The body did not come in time.", "Send it at once."),
    }
}

#[test]
fn reference_has_every_error_code() {
    let rows = ErrorCode::ALL.iter().map(|code| {
        let (defined, when, remedy) = explained(*code);
        [format!("`{}`", code.as_str()), code.status().to_string(), when.into(), remedy.into(), defined.into()]
    });
    check_block("errors.md", "codes", &table(["error", "status", "when", "what to do", "defined in"], rows));
}

#[test]
fn reference_has_every_error_page() {
    let rows =
        error_pages().into_iter().map(|page| [page.status.to_string(), page.title, page.message, page.next.join(" ")]);
    check_block("errors.md", "pages", &table(["status", "title", "what it says", "what to do"], rows));
}
