//! Errors as the document describes them; `http/error.rs` makes them.

use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

/// Why a request was refused. Every answer of 400 and above has this form.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"error": "invalid_grant", "error_description": "the user name or the password is wrong"}))]
pub struct Problem {
    /// A code for programs, of RFC 6749 where it has one.
    error: String,
    /// A sentence for developers. It may change.
    error_description: String,
}

/// What every endpoint refuses that takes a body.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "described, never made: see http/error.rs")]
pub enum Invalid {
    /// `invalid_request` names the member that is missing, unknown, repeated or of another type; `invalid_grant`: wrong
    /// credentials; `invalid_scope`, `invalid_target`: more than the client may ask for; `unauthorized_client`: the client
    /// is not first-party
    #[response(status = 400)]
    Request(Problem),
    /// `payload_too_large`: more than 4 KiB
    #[response(status = 413)]
    TooLarge(Problem),
    /// `unsupported_media_type`: not `application/json`
    #[response(status = 415)]
    MediaType(Problem),
}
