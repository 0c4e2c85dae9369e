//! RFC 6749 §4.1.3 with PKCE (RFC 7636): a code becomes tokens, once.

use super::grant::{Grant, Redeem};
use crate::audit::EventKind;
use crate::domain::{self, Code, CodeStage, GrantType, User};
use crate::fault::Fault;
use crate::issuing::{self, Ctx, Draft, NotIssued, refuse_recorded, revoke_family};
use crate::oauth::oxide::{self, CodeRefusal};
use crate::protocol::OAuthError;
use crate::storage::{Tx, codes};
use crate::support::Handle;

pub const GRANT: Grant = Grant {
    grant_type: GrantType::AuthorizationCode,
    parameters: &["code", "redirect_uri", "code_verifier", "resource"],
    single_use: Some("code"),
    redeem: Redeem::InTransaction(redeem),
};

/// After so many wrong verifiers a code is dead.
const MAX_FAILURES: i64 = 3;

fn invalid() -> OAuthError {
    OAuthError::invalid_grant("code is invalid, expired, was used before or belongs to another request")
}

fn redeem(ctx: &Ctx, tx: &mut Tx<'_>) -> Result<Draft, NotIssued> {
    let presented = ctx.params.get("code").ok_or_else(|| OAuthError::invalid_request("code is missing"))?;
    let (code, grant, user) = find(ctx, tx, presented)?;
    check_redirect_uri(ctx, &code)?;
    check_verifier(ctx, tx, &code, &grant, presented)?;
    if let CodeStage::Consumed { .. } = code.stage {
        // RFC 6749 §4.1.2: only who could have redeemed it can, by using it again, end what came of it.
        return revoke_family(ctx, tx, &grant, EventKind::CodeReplay);
    }
    if code.expires_at <= ctx.now {
        return Err(invalid().with_detail("the code has expired").into());
    }
    check_registration(ctx, &code, &grant)?;
    issuing::check_alive(ctx, &grant, &user)?;
    // Whoever logged out meanwhile does not log in by an old code.
    if !issuing::session_stands(tx, grant.session_id)? {
        return Err(invalid().with_detail("the session has ended").into());
    }
    let audience = ctx.family_audience(&grant, &grant.scope)?;
    if !codes::consume(tx, code.id, ctx.now)? {
        return revoke_family(ctx, tx, &grant, EventKind::CodeReplay);
    }
    issuing::begin_family(ctx, tx, grant, user, audience, EventKind::TokenIssued)
}

fn find(ctx: &Ctx, tx: &mut Tx<'_>, presented: &str) -> Result<(Code, domain::Grant, User), NotIssued> {
    let unknown = |why: &str| invalid().with_detail(why);
    let handle = Handle::parse(presented).map_err(|_| unknown("no code of ours"))?;
    let found = codes::find(tx.reader(), handle.id())?;
    let (code, grant, user) =
        found.filter(|(code, ..)| handle.matches(&code.secret_hash)).ok_or_else(|| unknown("unknown"))?;
    if grant.client_id != ctx.client.client_id {
        // The code stays good for its own client: a thief's attempt must not cost the owner the login.
        let event = ctx.event(EventKind::CodeClientMismatch, false).subject(grant.user_id);
        return refuse_recorded(ctx, tx, event, invalid().with_detail("another client's code"));
    }
    Ok((code, grant, user))
}

/// RFC 6749 §4.1.3. A client of OAuth 2.1 may leave it out, as PKCE binds the code already.
fn check_redirect_uri(ctx: &Ctx, code: &Code) -> Result<(), Fault> {
    let right = match (ctx.params.get("redirect_uri"), &code.sent_redirect_uri) {
        (Some(sent), Some(before)) => sent == before,
        (Some(sent), None) => sent == code.redirect_uri,
        (None, Some(_)) => code.code_challenge.is_some(),
        (None, None) => true,
    };
    if right {
        Ok(())
    } else {
        Err(invalid().with_detail("redirect_uri is not that of the authorization request").into())
    }
}

/// What the client is registered for now, whatever it was when the code was issued: an address that the operator removed may
/// be somebody else's by now, and PKCE may have become a must.
fn check_registration(ctx: &Ctx, code: &Code, grant: &domain::Grant) -> Result<(), Fault> {
    if !ctx.client.has_redirect(&code.redirect_uri) {
        return Err(invalid().with_detail("redirect_uri is not registered any more").into());
    }
    if !ctx.client.accepts_challenge(code.code_challenge.as_deref(), grant.nonce.as_deref()) {
        return Err(invalid().with_detail("the client has to use PKCE now").into());
    }
    Ok(())
}

fn check_verifier(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    code: &Code,
    grant: &domain::Grant,
    presented: &str,
) -> Result<(), NotIssued> {
    if code.failures >= MAX_FAILURES {
        return Err(invalid().with_detail("too many wrong verifiers").into());
    }
    let verifier = ctx.params.get("code_verifier");
    let input = oxide::CodeInput {
        client_id: &ctx.client.client_id,
        code: presented,
        redirect_uri: &code.redirect_uri,
        code_verifier: verifier,
        granted_to: &grant.client_id,
        granted_redirect_uri: &code.redirect_uri,
        granted_scope: &grant.scope,
        owner_id: &grant.client_id,
        code_challenge: code.code_challenge.as_deref(),
    };
    let outcome = match (&code.code_challenge, verifier) {
        // RFC 9700 §4.8.2: a verifier without a challenge is a downgrade that somebody tries.
        (None, Some(_)) => Err(CodeRefusal::Verifier),
        (_, Some(verifier)) if !is_verifier(verifier) => Err(CodeRefusal::Verifier),
        _ => oxide::redeem_code(&input).map(|_| ()),
    };
    match outcome {
        Ok(()) => Ok(()),
        Err(CodeRefusal::Verifier) if code.stage == CodeStage::Issued => {
            codes::count_failure(tx, code.id)?;
            let event = ctx.event(EventKind::PkceMismatch, false).subject(grant.user_id);
            refuse_recorded(ctx, tx, event, OAuthError::invalid_grant("code_verifier does not fit the code_challenge"))
        }
        Err(_) => Err(invalid().into()),
    }
}

/// RFC 7636 §4.1
pub(super) fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}
