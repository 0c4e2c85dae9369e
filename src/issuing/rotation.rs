//! RFC 6749 §6 with rotation (RFC 9700 §4.14.2): every use of a refresh token is its only one.
//!
//! An answer can be lost on its way. For a short while the client that used a token gets the same successor again, which
//! was sealed with the used token's own secret; as soon as anything of that answer was used, it was not lost, and who
//! still comes with the old token has stolen it.

use super::steps::{self, Ctx, Draft, REFRESH_PREFIX, expose_refresh, revoke_family};
use crate::audit::EventKind;
use crate::domain::{self, AccessToken, RefreshStage, RefreshToken, Scopes, User};
use crate::fault::Fault;
use crate::keys::Sealer;
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{Refusal, Tx, access_tokens, grants, refresh_tokens};
use crate::support::{Handle, Id, Seconds};

fn invalid() -> OAuthError {
    OAuthError::invalid_grant("refresh_token is invalid, expired, revoked or belongs to another client")
}

/// Uses a refresh token. `scope` says how much of the family's scope the new access token is to have, or refuses families
/// that this endpoint does not continue.
pub fn refresh(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    presented: &str,
    scope: impl FnOnce(&domain::Grant) -> Result<Scopes, Fault>,
) -> Result<Draft, Refusal<Fault>> {
    let unknown = |why: &str| Fault::from(invalid().with_detail(why));
    let handle = parse(presented).ok_or_else(|| unknown("no refresh token of ours"))?;
    let found = refresh_tokens::find_with_person(tx.reader(), handle.id()).map_err(Fault::from)?;
    let (token, grant, user) =
        found.filter(|(token, ..)| handle.matches(&token.secret_hash)).ok_or_else(|| unknown("unknown"))?;
    if grant.client_id != ctx.client.client_id {
        return Err(unknown("another client's refresh token").into());
    }
    if token.expires_at <= ctx.now {
        return Err(unknown("expired").into());
    }
    if steps::check_alive(ctx, &grant, &user).is_err() {
        return revoke_family(ctx, tx, &grant, EventKind::TokenRefused);
    }
    let scope = scope(&grant)?;
    let audience = ctx.family_audience(&grant, &scope).map_err(Fault::from)?;
    let access = AccessToken { refreshed_from: Some(token.id), ..ctx.family_token(&grant, scope, audience) };
    let used = Used { handle, token, grant, user, access };
    match &used.token.stage {
        RefreshStage::Live => rotate(ctx, tx, used),
        RefreshStage::Rotated { .. } => retry(ctx, tx, used),
    }
}

fn parse(presented: &str) -> Option<Handle> {
    Handle::parse(presented.strip_prefix(REFRESH_PREFIX)?).ok()
}

/// What a client is told that shows another's token (RFC 7009 §2.1).
pub fn foreign_token() -> Fault {
    OAuthError::new(ErrorCode::UnauthorizedClient, "the token was issued to another client").into()
}

/// Ends the family of a refresh token (RFC 7009 §2.1), if `allowed` lets it; `None` if there was nothing to end.
pub fn revoke_family_of(
    tx: &mut Tx<'_>,
    presented: &str,
    now: Seconds,
    allowed: impl FnOnce(&domain::Grant) -> Result<(), Fault>,
) -> Result<Option<domain::Grant>, Fault> {
    let Some(handle) = parse(presented) else { return Ok(None) };
    let found = refresh_tokens::find(tx.reader(), handle.id())?;
    let Some((_, grant)) = found.filter(|(token, _)| handle.matches(&token.secret_hash)) else { return Ok(None) };
    allowed(&grant)?;
    Ok(grants::revoke(tx, grant.id, now)?.then_some(grant))
}

/// Ends the family of an access token, if `allowed` lets it; `None` if there was nothing to end.
pub fn revoke_family_with(
    tx: &mut Tx<'_>,
    jti: Id,
    now: Seconds,
    allowed: impl FnOnce(&domain::Grant) -> Result<(), Fault>,
) -> Result<Option<domain::Grant>, Fault> {
    let Some(grant) = grants::find_by_token(tx.reader(), jti)? else { return Ok(None) };
    allowed(&grant)?;
    Ok(grants::revoke(tx, grant.id, now)?.then_some(grant))
}

/// A refresh token as it was presented, with all that it stands for and the access token that it is used for.
struct Used {
    handle: Handle,
    token: RefreshToken,
    grant: domain::Grant,
    user: User,
    access: AccessToken,
}

impl Used {
    fn sealer(&self) -> Result<Sealer, Fault> {
        Sealer::new(&self.handle.derived_key("refresh retry"))
            .ok_or_else(|| OAuthError::server_error("a sealing key could not be made").into())
    }

    fn into_draft(self, event: EventKind, successor: String) -> Draft {
        Draft { token: self.access, event, person: Some((self.user, self.grant)), refresh_token: Some(successor) }
    }
}

fn rotate(ctx: &Ctx, tx: &mut Tx<'_>, used: Used) -> Result<Draft, Refusal<Fault>> {
    let (successor, row) = ctx.refresh_token(&used.grant, Some(used.token.id));
    let successor = expose_refresh(&successor);
    let sealed = used
        .sealer()?
        .seal(&ctx.app.rng, "successor", successor.as_bytes())
        .ok_or_else(|| Fault::from(OAuthError::server_error("a successor could not be sealed")))?;
    if !refresh_tokens::rotate(tx, used.token.id, &sealed, ctx.now).map_err(Fault::from)? {
        // Somebody else was faster, on another connection: what they left is a retry's to find.
        let again = refresh_tokens::find(tx.reader(), used.token.id).map_err(Fault::from)?;
        let (token, grant) = again.ok_or_else(|| Fault::from(invalid()))?;
        return retry(ctx, tx, Used { token, grant, ..used });
    }
    if ctx.now - used.grant.used_at >= domain::USE_GRAIN {
        grants::note_use(tx, used.grant.id, ctx.now).map_err(Fault::from)?;
    }
    steps::store_refresh(tx, &row)?;
    access_tokens::insert(tx, &used.access).map_err(Fault::from)?;
    Ok(used.into_draft(EventKind::TokenRefreshed, successor))
}

/// The same successor again, or the end of the family.
fn retry(ctx: &Ctx, tx: &mut Tx<'_>, used: Used) -> Result<Draft, Refusal<Fault>> {
    let Some(successor) = unused_successor(ctx, tx, &used)? else {
        return revoke_family(ctx, tx, &used.grant, EventKind::RefreshReuse);
    };
    access_tokens::insert(tx, &used.access).map_err(Fault::from)?;
    Ok(used.into_draft(EventKind::RefreshRetried, successor))
}

/// The successor that an earlier use left, while it may still be that its answer was lost: soon enough, and nothing of
/// that answer was used.
fn unused_successor(ctx: &Ctx, tx: &mut Tx<'_>, used: &Used) -> Result<Option<String>, Fault> {
    let RefreshStage::Rotated { at, successor: Some(sealed) } = &used.token.stage else { return Ok(None) };
    if ctx.now - at >= ctx.app.config.tokens.refresh_retry_seconds {
        return Ok(None);
    }
    let plain = used.sealer()?.open("successor", sealed);
    let Some(text) = plain.and_then(|plain| String::from_utf8(plain.to_vec()).ok()) else { return Ok(None) };
    let Some(id) = parse(&text).map(|handle| handle.id()) else { return Ok(None) };
    let found = refresh_tokens::find(tx.reader(), id)?;
    Ok(found.is_some_and(|(token, _)| token.stage == RefreshStage::Live).then_some(text))
}
