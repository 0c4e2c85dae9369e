//! RFC 6749 §4.4: a client acts for itself.

use super::grant::{Grant, Redeem};
use crate::audit::EventKind;
use crate::domain::{GrantType, OFFLINE_ACCESS, OPENID, ROLES, Scopes};
use crate::fault::Fault;
use crate::issuing::{Ctx, Draft};
use crate::oauth::oxide;
use crate::protocol::{ErrorCode, OAuthError};

pub const GRANT: Grant = Grant {
    grant_type: GrantType::ClientCredentials,
    parameters: &["scope", "resource"],
    single_use: None,
    redeem: Redeem::Plain(redeem),
};

/// What is about a person is nothing that a client can have for itself.
const PERSONAL: [&str; 5] = [OPENID, OFFLINE_ACCESS, "profile", "email", ROLES];

fn redeem(ctx: &Ctx) -> Result<Draft, Fault> {
    let allowed = PERSONAL.iter().fold(ctx.client.scope.clone(), |scope, personal| scope.without(personal));
    let input = oxide::ClientCredentialsInput { client_id: &ctx.client.client_id, scope: ctx.params.get("scope") };
    let scope: Scopes = oxide::client_credentials(&input, &allowed)?;
    let audience = ctx.audience(&ctx.client.audiences, &scope)?;
    if ctx.params.has("scope") && scope.is_empty() {
        return Err(OAuthError::new(ErrorCode::InvalidScope, "scope names nothing").into());
    }
    // RFC 9068 §2.2: without a resource owner the subject is the client.
    let token = ctx.access_token(ctx.client.client_id.clone(), scope, audience);
    Ok(Draft { token, event: EventKind::TokenIssued, person: None, refresh_token: None })
}
