//! RFC 6749 §6 with rotation (RFC 9700 §4.14.2): every use of a refresh token is its only one.
//!
//! An answer can be lost on its way. For a short while the client that used a token gets the same successor again, which
//! was sealed with the used token's own secret; as soon as anything of that answer was used, it was not lost, and who
//! still comes with the old token has stolen it.

use super::steps::{self, Ctx, Draft, REFRESH_PREFIX, expose_refresh, revoke_family};
use super::{Grant, Redeem};
use crate::audit::EventKind;
use crate::domain::{self, AccessToken, GrantType, RefreshStage, RefreshToken, Scopes, User};
use crate::fault::Fault;
use crate::keys::Sealer;
use crate::oauth::oxide;
use crate::protocol::OAuthError;
use crate::storage::{Refusal, Tx, access_tokens, refresh_tokens};
use crate::support::Handle;

pub const GRANT: Grant = Grant {
    grant_type: GrantType::RefreshToken,
    parameters: &["refresh_token", "scope", "resource"],
    redeem: Redeem::InTransaction(redeem),
};

fn invalid() -> OAuthError {
    OAuthError::invalid_grant("refresh_token is invalid, expired, revoked or belongs to another client")
}

fn redeem(ctx: &Ctx, tx: &mut Tx<'_>) -> Result<Draft, Refusal<Fault>> {
    let missing = || Fault::from(OAuthError::invalid_request("refresh_token is missing"));
    let presented = ctx.params.get("refresh_token").ok_or_else(missing)?;
    let unknown = |why: &str| Fault::from(invalid().with_detail(why));
    let handle = presented
        .strip_prefix(REFRESH_PREFIX)
        .and_then(|text| Handle::parse(text).ok())
        .ok_or_else(|| unknown("no refresh token of ours"))?;
    let found = refresh_tokens::find(tx.reader(), handle.id()).map_err(Fault::from)?;
    let (token, grant) =
        found.filter(|(token, _)| handle.matches(&token.secret_hash)).ok_or_else(|| unknown("unknown"))?;
    if grant.client_id != ctx.client.client_id {
        return Err(unknown("another client's refresh token").into());
    }
    if token.expires_at <= ctx.now {
        return Err(unknown("expired").into());
    }
    let user = match steps::living_person(tx, ctx, &grant) {
        Ok(user) => user,
        Err(Fault::OAuth(_)) => return revoke_family(ctx, tx, &grant, EventKind::TokenRefused),
        Err(fault) => return Err(fault.into()),
    };
    let scope = requested_scope(ctx, presented, &grant)?;
    let audience = ctx.audience(&ctx.granted_resources(&grant), &scope).map_err(Fault::from)?;
    let access = AccessToken { refreshed_from: Some(token.id), ..ctx.family_token(&grant, scope, audience) };
    match &token.stage {
        RefreshStage::Live => rotate(ctx, tx, &handle, &token, grant, user, access),
        RefreshStage::Rotated { .. } => retry(ctx, tx, &handle, &token, grant, user, access),
    }
}

fn requested_scope(ctx: &Ctx, presented: &str, grant: &domain::Grant) -> Result<Scopes, Fault> {
    let input = oxide::RefreshInput {
        client_id: &ctx.client.client_id,
        refresh_token: presented,
        scope: ctx.params.get("scope"),
        granted_to: &grant.client_id,
        granted_scope: &grant.scope,
        owner_id: &grant.client_id,
    };
    Ok(oxide::refresh(&input)?)
}

fn rotate(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    handle: &Handle,
    token: &RefreshToken,
    grant: domain::Grant,
    user: User,
    access: AccessToken,
) -> Result<Draft, Refusal<Fault>> {
    let (successor, row) = ctx.refresh_token(&grant, Some(token.id));
    let successor = expose_refresh(&successor);
    let sealed = sealer(handle)?
        .seal(&ctx.app.rng, "successor", successor.as_bytes())
        .ok_or_else(|| Fault::from(OAuthError::server_error("a successor could not be sealed")))?;
    if !refresh_tokens::rotate(tx, token.id, &sealed, ctx.now).map_err(Fault::from)? {
        // Somebody else was faster, on another connection: what they left is a retry's to find.
        let again = refresh_tokens::find(tx.reader(), token.id).map_err(Fault::from)?;
        let (token, grant) = again.ok_or_else(|| Fault::from(invalid()))?;
        return retry(ctx, tx, handle, &token, grant, user, access);
    }
    if let Some(parent) = token.parent_id {
        refresh_tokens::close_retry(tx, parent).map_err(Fault::from)?;
    }
    steps::store_refresh(tx, &row)?;
    access_tokens::insert(tx, &access).map_err(Fault::from)?;
    Ok(Draft {
        token: access,
        event: EventKind::TokenRefreshed,
        person: Some((user, grant)),
        refresh_token: Some(successor),
    })
}

/// The same successor again, or the end of the family.
fn retry(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    handle: &Handle,
    token: &RefreshToken,
    grant: domain::Grant,
    user: User,
    access: AccessToken,
) -> Result<Draft, Refusal<Fault>> {
    let successor = match &token.stage {
        RefreshStage::Rotated { at, successor: Some(sealed) }
            if ctx.now - at < ctx.app.config.tokens.refresh_retry_seconds =>
        {
            sealer(handle)?.open("successor", sealed).and_then(|plain| String::from_utf8(plain.to_vec()).ok())
        }
        _ => None,
    };
    let Some(successor) = successor else {
        return revoke_family(ctx, tx, &grant, EventKind::RefreshReuse);
    };
    access_tokens::insert(tx, &access).map_err(Fault::from)?;
    Ok(Draft {
        token: access,
        event: EventKind::RefreshRetried,
        person: Some((user, grant)),
        refresh_token: Some(successor),
    })
}

fn sealer(handle: &Handle) -> Result<Sealer, Fault> {
    Sealer::new(&handle.derived_key("refresh retry"))
        .ok_or_else(|| OAuthError::server_error("a sealing key could not be made").into())
}
