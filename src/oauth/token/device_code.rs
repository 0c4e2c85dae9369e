//! RFC 8628 §3.4: a device asks until somebody has decided, and gets its tokens once.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::authorization_code::is_verifier;
use super::grant::{Grant, Redeem};
use crate::audit::EventKind;
use crate::domain::{self, DeviceCode, DeviceStage, GrantType, User};
use crate::fault::Fault;
use crate::issuing::{self, Ctx, Draft, NotIssued, Rejection, refuse_recorded, revoke_family};
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{Tx, device_codes, grants, users};
use crate::support::{Handle, Id, Seconds, constant_time_eq, sha256};

pub const GRANT: Grant = Grant {
    grant_type: GrantType::DeviceCode,
    parameters: &["device_code", "code_verifier", "resource"],
    single_use: Some("device_code"),
    redeem: Redeem::InTransaction(redeem),
};

/// Secret scanners find a leaked device code by this.
pub const PREFIX: &str = "lwdc_";

/// After so many wrong verifiers a code is dead.
const MAX_FAILURES: i64 = 3;

/// RFC 8628 §3.5: by so many seconds the interval grows with each poll that came too soon.
const SLOWER: Seconds = 5;

/// A device that asks twice at once, or whose network does, is no thief. Whoever comes later with a code that was redeemed
/// is one, or met one, or lost the answer and has nothing to lose.
const MOMENT: Seconds = 2;

fn invalid() -> OAuthError {
    OAuthError::invalid_grant("device_code is invalid, was used before or belongs to another client")
}

fn redeem(ctx: &Ctx, tx: &mut Tx<'_>) -> Result<Draft, NotIssued> {
    let missing = || OAuthError::invalid_request("device_code is missing");
    let presented = ctx.params.get("device_code").ok_or_else(missing)?;
    let code = find(ctx, tx, presented)?;
    check_verifier(ctx, tx, &code)?;
    if let DeviceStage::Redeemed { grant_id, at } = code.stage {
        return replayed(ctx, tx, grant_id, at);
    }
    if code.expires_at <= ctx.now || code.stage == DeviceStage::Refused {
        return Err(expired().into());
    }
    match code.stage {
        DeviceStage::Approved { grant_id } => issue(ctx, tx, &code, grant_id),
        DeviceStage::Denied => denied(ctx, tx, &code),
        _ => pending(ctx, tx, &code),
    }
}

fn find(ctx: &Ctx, tx: &mut Tx<'_>, presented: &str) -> Result<DeviceCode, NotIssued> {
    let unknown = |why: &str| invalid().with_detail(why);
    let text = presented.strip_prefix(PREFIX).ok_or_else(|| unknown("no device code of ours"))?;
    let handle = Handle::parse(text).map_err(|_| unknown("no device code of ours"))?;
    let found = device_codes::find(tx.reader(), handle.id())?;
    let code = found.filter(|code| handle.matches(&code.secret_hash)).ok_or_else(|| unknown("unknown"))?;
    if code.client_id != ctx.client.client_id {
        // It stays good for its own client: a thief's attempt must not cost the owner the login.
        let event = ctx.event(EventKind::CodeClientMismatch, false);
        return refuse_recorded(ctx, tx, event, invalid().with_detail("another client's device code"));
    }
    Ok(code)
}

/// Looked at before anything else is told, so that whoever has the code alone does not learn how it stands.
fn check_verifier(ctx: &Ctx, tx: &mut Tx<'_>, code: &DeviceCode) -> Result<(), NotIssued> {
    if code.failures >= MAX_FAILURES {
        return Err(invalid().with_detail("too many wrong verifiers").into());
    }
    let is_right = match (&code.code_challenge, ctx.params.get("code_verifier")) {
        (None, None) => true,
        // RFC 7636 §4.6
        (Some(challenge), Some(verifier)) => {
            let made = URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()));
            is_verifier(verifier) && constant_time_eq(made.as_bytes(), challenge.as_bytes())
        }
        // A verifier without a challenge is a downgrade that somebody tries.
        (None, Some(_)) | (Some(_), None) => false,
    };
    if is_right {
        return Ok(());
    }
    device_codes::count_failure(tx, code.id)?;
    let event = ctx.event(EventKind::PkceMismatch, false);
    refuse_recorded(ctx, tx, event, OAuthError::invalid_grant("code_verifier does not fit the code_challenge"))
}

fn issue(ctx: &Ctx, tx: &mut Tx<'_>, code: &DeviceCode, grant_id: Id) -> Result<Draft, NotIssued> {
    let (grant, user) = family(tx, grant_id)?;
    issuing::check_alive(ctx, &grant, &user)?;
    // What was to outlive the session may begin after it: people allow a television something and log out.
    if !grant.is_offline() && !issuing::session_stands(tx, grant.session_id)? {
        return Err(invalid().with_detail("the session has ended").into());
    }
    let audience = ctx.family_audience(&grant, &grant.scope)?;
    if !device_codes::end(tx, code.id, ctx.now)? {
        return replayed(ctx, tx, grant_id, ctx.now);
    }
    issuing::begin_family(ctx, tx, grant, user, audience, EventKind::DeviceRedeemed)
}

fn family(tx: &mut Tx<'_>, grant_id: Id) -> Result<(domain::Grant, User), Fault> {
    let gone = || Fault::from(invalid().with_detail("its family is gone"));
    let grant = grants::find(tx.reader(), grant_id)?.ok_or_else(gone)?;
    let user = users::find(tx.reader(), grant.user_id)?.ok_or_else(gone)?;
    Ok((grant, user))
}

fn replayed(ctx: &Ctx, tx: &mut Tx<'_>, grant_id: Id, at: Seconds) -> Result<Draft, NotIssued> {
    if ctx.now - at <= MOMENT {
        return Err(invalid().with_detail("it was redeemed just now").into());
    }
    let (grant, _) = family(tx, grant_id)?;
    revoke_family(ctx, tx, &grant, EventKind::DeviceCodeReplay)
}

/// The device is told once; then the code is as good as expired.
fn denied(ctx: &Ctx, tx: &mut Tx<'_>, code: &DeviceCode) -> Result<Draft, NotIssued> {
    if !device_codes::end(tx, code.id, ctx.now)? {
        return Err(expired().into());
    }
    let event = ctx.event(EventKind::TokenRefused, false).reason(ErrorCode::AccessDenied.as_str());
    refuse_recorded(ctx, tx, event, OAuthError::new(ErrorCode::AccessDenied, "the person did not allow it"))
}

/// Nothing of this is recorded: a device asks a hundred times, and nothing is decided.
fn pending(ctx: &Ctx, tx: &mut Tx<'_>, code: &DeviceCode) -> Result<Draft, NotIssued> {
    if device_codes::poll(tx, code.id, ctx.now)? {
        let sentence = "nobody has decided yet; ask again after the interval";
        return Err(Rejection::of(OAuthError::new(ErrorCode::AuthorizationPending, sentence)).into());
    }
    let interval = device_codes::slow_down(tx, code.id, SLOWER, ctx.now)?;
    let sentence = format!("asked too soon; wait {interval} seconds between two requests from now on");
    Err(Rejection::of(OAuthError::new(ErrorCode::PolledTooFast, sentence)).into())
}

fn expired() -> OAuthError {
    OAuthError::new(ErrorCode::ExpiredToken, "device_code has expired, or was answered; begin again")
}
