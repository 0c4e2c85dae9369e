//! RFC 6749 §6 with rotation (RFC 9700 §4.14.2): every use of a refresh token is its only one.
//!
//! An answer can be lost on its way, and a client with parallel requests sends one token several times. For
//! `refresh_retry_seconds` a used token therefore gets the family's live successor: each successor is sealed with a key
//! derived from the token before it, so that the way from a used token to the live one is open to its bearer alone. The
//! family never has two live refresh tokens. After that time a used token is a stolen one, and ends the family.
//!
//! A client with the strict policy gets the first successor alone, and only while nothing of that answer was used.

use super::outcome::NotIssued;
use super::steps::{self, Ctx, Draft, REFRESH_PREFIX, expose_refresh, revoke_family};
use crate::audit::EventKind;
use crate::domain::{self, AccessToken, GrantOrigin, RefreshPolicy, RefreshStage, RefreshToken, Scopes, User};
use crate::fault::Fault;
use crate::keys::Sealer;
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{Tx, access_tokens, grants, refresh_tokens, sessions};
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
) -> Result<Draft, NotIssued> {
    let unknown = |why: &str| invalid().with_detail(why);
    let handle = parse(presented).ok_or_else(|| unknown("no refresh token of ours"))?;
    let found = refresh_tokens::find_with_person(tx.reader(), handle.id())?;
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
    let audience = ctx.family_audience(&grant, &scope)?;
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
    Ok(grants::revoke(tx, &grant, now)?.then_some(grant))
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
    Ok(grants::revoke(tx, &grant, now)?.then_some(grant))
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
    fn into_draft(self, event: EventKind, successor: String) -> Draft {
        Draft { token: self.access, event, person: Some((self.user, self.grant)), refresh_token: Some(successor) }
    }
}

fn rotate(ctx: &Ctx, tx: &mut Tx<'_>, used: Used) -> Result<Draft, NotIssued> {
    let (successor, row) = ctx.refresh_token(&used.grant, Some(used.token.id));
    let successor = expose_refresh(&successor);
    let sealed = sealer(&used.handle)?
        .seal(&ctx.app.rng, SUCCESSOR, successor.as_bytes())
        .ok_or_else(|| OAuthError::server_error("a successor could not be sealed"))?;
    if !refresh_tokens::rotate(tx, used.token.id, &sealed, ctx.now)? {
        // Somebody else was faster, on another connection: what they left is a retry's to find.
        let again = refresh_tokens::find(tx.reader(), used.token.id)?;
        let (token, grant) = again.ok_or_else(invalid)?;
        return retry(ctx, tx, Used { token, grant, ..used });
    }
    if ctx.now - used.grant.used_at >= domain::USE_GRAIN {
        grants::note_use(tx, used.grant.id, ctx.now)?;
        if let (GrantOrigin::FirstParty, Some(session)) = (used.grant.origin, used.grant.session_id) {
            sessions::touch(tx, session, ctx.now, used.grant.expires_at)?;
        }
    }
    steps::store_refresh(tx, &row)?;
    access_tokens::insert(tx, &used.access)?;
    Ok(used.into_draft(EventKind::TokenRefreshed, successor))
}

/// The family's live successor, or the end of the family.
fn retry(ctx: &Ctx, tx: &mut Tx<'_>, used: Used) -> Result<Draft, NotIssued> {
    let RefreshStage::Rotated { at, successor: Some(sealed) } = &used.token.stage else {
        return revoke_family(ctx, tx, &used.grant, EventKind::RefreshReuse);
    };
    if ctx.now - at >= ctx.app.config.tokens.refresh_retry_seconds {
        return revoke_family(ctx, tx, &used.grant, EventKind::RefreshReuse);
    }
    let steps = match ctx.client.refresh {
        RefreshPolicy::Strict => 1,
        RefreshPolicy::Standard => MAX_STEPS,
    };
    match follow(tx, &used.handle, sealed, steps)? {
        Successor::Live(successor) => {
            access_tokens::insert(tx, &used.access)?;
            Ok(used.into_draft(EventKind::RefreshRetried, successor))
        }
        Successor::None => revoke_family(ctx, tx, &used.grant, EventKind::RefreshReuse),
        // Nothing shows a theft: one client that refreshes at a great pace.
        Successor::TooFar if ctx.client.refresh == RefreshPolicy::Standard => {
            Err(invalid().with_detail("used, and too many were used after it").into())
        }
        Successor::TooFar => revoke_family(ctx, tx, &used.grant, EventKind::RefreshReuse),
    }
}

/// So many rotations are followed from a used token to the live one; each is a read by its key.
const MAX_STEPS: usize = 100;

enum Successor {
    Live(String),
    /// The way ends: a retry was closed, or the rows are gone.
    None,
    TooFar,
}

/// Goes from a used token to the live one of its family. Every token on the way was used after the first, so that the
/// first one's window decides.
fn follow(tx: &mut Tx<'_>, used: &Handle, sealed: &[u8], steps: usize) -> Result<Successor, Fault> {
    let Some((mut text, mut handle)) = unseal(used, sealed)? else { return Ok(Successor::None) };
    for step in 1..=steps {
        let Some((token, _)) = refresh_tokens::find(tx.reader(), handle.id())? else { return Ok(Successor::None) };
        match &token.stage {
            RefreshStage::Live => return Ok(Successor::Live(text)),
            RefreshStage::Rotated { successor: Some(sealed), .. } if step < steps => match unseal(&handle, sealed)? {
                Some(next) => (text, handle) = next,
                None => return Ok(Successor::None),
            },
            RefreshStage::Rotated { successor: Some(_), .. } => return Ok(Successor::TooFar),
            RefreshStage::Rotated { successor: None, .. } => return Ok(Successor::None),
        }
    }
    Ok(Successor::TooFar)
}

/// What a token's use left for its bearer.
fn unseal(used: &Handle, sealed: &[u8]) -> Result<Option<(String, Handle)>, Fault> {
    let plain = sealer(used)?.open(SUCCESSOR, sealed);
    let text = plain.and_then(|plain| String::from_utf8(plain.to_vec()).ok());
    Ok(text.and_then(|text| parse(&text).map(|handle| (text, handle))))
}

/// What successors are sealed for.
const SUCCESSOR: &str = "successor";

fn sealer(used: &Handle) -> Result<Sealer, Fault> {
    Sealer::new(&used.derived_key("refresh retry"))
        .ok_or_else(|| OAuthError::server_error("a sealing key could not be made").into())
}
