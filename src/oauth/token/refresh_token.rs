//! RFC 6749 §6. How a refresh token is used up is the same at every endpoint: `issuing/rotation.rs`.

use super::grant::{Grant, Redeem};
use crate::domain::GrantType;
use crate::issuing::{self, Ctx, Draft, NotIssued};
use crate::oauth::oxide;
use crate::protocol::OAuthError;
use crate::storage::Tx;

pub const GRANT: Grant = Grant {
    grant_type: GrantType::RefreshToken,
    parameters: &["refresh_token", "scope", "resource"],
    single_use: Some("refresh_token"),
    redeem: Redeem::InTransaction(redeem),
};

fn redeem(ctx: &Ctx, tx: &mut Tx<'_>) -> Result<Draft, NotIssued> {
    let missing = || OAuthError::invalid_request("refresh_token is missing");
    let presented = ctx.params.get("refresh_token").ok_or_else(missing)?;
    issuing::refresh(ctx, tx, presented, |grant| {
        let input = oxide::RefreshInput {
            client_id: &ctx.client.client_id,
            refresh_token: presented,
            scope: ctx.params.get("scope"),
            granted_to: &grant.client_id,
            granted_scope: &grant.scope,
            owner_id: &grant.client_id,
        };
        Ok(oxide::refresh(&input)?)
    })
}
