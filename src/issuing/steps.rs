//! Verbs that grants share.

use std::sync::Arc;

use super::outcome::{GrantFate, NotIssued, Rejection};
use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::domain::{
    API_KEYS, AccessToken, Client, Grant, GrantOrigin, GrantStage, GrantType, OPENID, RefreshStage, RefreshToken,
    Renewal, Scopes, SessionStage, User, UserStatus,
};
use crate::fault::Fault;
use crate::protocol::{ErrorCode, OAuthError, Params};
use crate::storage::{Tx, access_tokens, grants, refresh_tokens, sessions};
use crate::support::{Handle, Id, Seconds};

/// What a grant is given.
#[derive(Clone)]
pub struct Ctx {
    pub app: App,
    pub info: RequestInfo,
    pub client: Arc<Client>,
    /// The parameters of the request by their names in the RFCs, from a form or from JSON; no password is among them.
    pub params: Arc<Params>,
    pub now: Seconds,
}

/// What a grant decided to issue; signed after the commit.
pub struct Draft {
    pub token: AccessToken,
    pub event: EventKind,
    /// The person, their family and whether an ID token belongs to the answer.
    pub person: Option<(User, Grant)>,
    pub refresh_token: Option<String>,
}

impl Ctx {
    pub fn event(&self, kind: EventKind, success: bool) -> Event {
        let event = if success { Event::success(kind) } else { Event::failure(kind) };
        let event = event.client(&self.client.client_id).request(self.info.address, self.info.id);
        // A public client's name is no proof.
        if success || self.client.is_public() { event } else { event.authenticated() }
    }

    pub fn record(&self, tx: &mut Tx<'_>, event: Event) -> Result<(), Fault> {
        Ok(event.record(tx, &self.app.clock)?)
    }

    /// The APIs of a new access token (RFC 8707 §2.2): those that the request names, else those of the grant.
    pub fn audience(&self, granted: &[String], scope: &Scopes) -> Result<Vec<String>, OAuthError> {
        let asked: Vec<String> = self.params.all("resource").map(str::to_owned).collect();
        if asked.iter().any(|resource| !granted.contains(resource)) {
            return Err(OAuthError::new(ErrorCode::InvalidTarget, "resource names an API that was not granted"));
        }
        let mut audience = if asked.is_empty() { granted.to_vec() } else { asked.clone() };
        audience.retain(|resource| self.client.audiences.contains(resource));
        let is_lost = |wanted: &[String]| !wanted.is_empty() && audience.is_empty();
        if is_lost(granted) || asked.iter().any(|resource| !audience.contains(resource)) {
            return Err(OAuthError::new(ErrorCode::InvalidTarget, "the client may not use that API any more"));
        }
        audience.dedup();
        // Userinfo and the management of API keys are APIs of our own, each with an audience of its own.
        if scope.contains(API_KEYS) {
            audience.push(self.app.key_management());
        }
        if audience.is_empty() || scope.contains(OPENID) {
            audience.push(self.app.issuer().to_owned());
        }
        Ok(audience)
    }

    /// The APIs of a new access token of a family. One that the operator's own app has without naming any API is for this
    /// server too, whose `/api/v1/me` tells the app who its person is.
    pub fn family_audience(&self, grant: &Grant, scope: &Scopes) -> Result<Vec<String>, OAuthError> {
        let mut audience = self.audience(&self.granted_resources(grant), scope)?;
        let names_none = grant.resources.is_empty() && !self.params.has("resource");
        if grant.origin == GrantOrigin::FirstParty && names_none && !audience.iter().any(|a| a == self.app.issuer()) {
            audience.push(self.app.issuer().to_owned());
        }
        Ok(audience)
    }

    /// The APIs of a grant. The operator's own app, for which nobody was asked, has all that it is registered for where it
    /// named none; what a person allowed is the list that they were shown.
    pub fn granted_resources(&self, grant: &Grant) -> Vec<String> {
        let names_none = grant.origin == GrantOrigin::FirstParty && grant.resources.is_empty();
        if names_none { self.client.audiences.clone() } else { grant.resources.clone() }
    }

    pub fn access_token(&self, subject: String, scope: Scopes, audience: Vec<String>) -> AccessToken {
        AccessToken {
            jti: Id::new(&self.app.clock, &self.app.rng),
            grant_id: None,
            client_id: self.client.client_id.clone(),
            subject,
            scope,
            audience,
            issued_at: self.now,
            expires_at: self.now + self.app.config.tokens.access_token_seconds,
            refreshed_from: None,
        }
    }

    /// An access token of a family; it does not outlive the family.
    pub fn family_token(&self, grant: &Grant, scope: Scopes, audience: Vec<String>) -> AccessToken {
        let token = self.access_token(grant.user_id.to_string(), scope, audience);
        AccessToken { grant_id: Some(grant.id), expires_at: token.expires_at.min(grant.expires_at), ..token }
    }

    /// A refresh token of a family, and its row.
    pub fn refresh_token(&self, grant: &Grant, parent: Option<Id>) -> (Handle, RefreshToken) {
        let handle = Handle::new(&self.app.clock, &self.app.rng);
        let row = RefreshToken {
            id: handle.id(),
            secret_hash: handle.digest().to_vec(),
            grant_id: grant.id,
            parent_id: parent,
            expires_at: (self.now + self.app.config.tokens.refresh_idle_seconds).min(grant.expires_at),
            stage: RefreshStage::Live,
        };
        (handle, row)
    }
}

/// Secret scanners find a leaked refresh token by this.
pub const REFRESH_PREFIX: &str = "lwrt_";

/// The text of a refresh token.
pub fn expose_refresh(handle: &Handle) -> String {
    format!("{REFRESH_PREFIX}{}", handle.expose())
}

pub fn store_refresh(tx: &mut Tx<'_>, row: &RefreshToken) -> Result<(), Fault> {
    Ok(refresh_tokens::insert(tx, row)?)
}

/// The first tokens of a family.
pub fn begin_family(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    grant: Grant,
    user: User,
    audience: Vec<String>,
    event: EventKind,
) -> Result<Draft, NotIssued> {
    let token = ctx.family_token(&grant, grant.scope.clone(), audience);
    access_tokens::insert(tx, &token)?;
    let refresh_token = match (grant.renewal, ctx.client.may_use(GrantType::RefreshToken)) {
        (Renewal::Refreshable, true) => {
            let (handle, row) = ctx.refresh_token(&grant, None);
            store_refresh(tx, &row)?;
            Some(expose_refresh(&handle))
        }
        (Renewal::Refreshable, false) => {
            // The client lost that grant since it asked; what it gets now does not hang on it.
            grants::never_refreshes(tx, grant.id)?;
            None
        }
        (Renewal::Once, _) => None,
    };
    Ok(Draft { token, event, person: Some((user, grant)), refresh_token })
}

/// Whether the session in which something was allowed goes on; what was allowed in none does not depend on one.
pub fn session_stands(tx: &mut Tx<'_>, session_id: Option<Id>) -> Result<bool, Fault> {
    let Some(id) = session_id else { return Ok(true) };
    Ok(sessions::find(tx.reader(), id)?.is_some_and(|session| session.stage == SessionStage::Live))
}

/// Whether a family and its person still stand.
pub fn check_alive(ctx: &Ctx, grant: &Grant, user: &User) -> Result<(), OAuthError> {
    let dead = |why: &str| OAuthError::invalid_grant("the grant has expired or was revoked").with_detail(why);
    if let GrantStage::Revoked { .. } = grant.stage {
        return Err(dead("the family was revoked"));
    }
    if grant.expires_at <= ctx.now {
        return Err(dead("the family has expired"));
    }
    let may = match grant.origin {
        GrantOrigin::Authorization => ctx.client.may_use(GrantType::AuthorizationCode),
        GrantOrigin::FirstParty => ctx.client.is_first_party(),
        GrantOrigin::Device => ctx.client.may_use(GrantType::DeviceCode),
    };
    if !may {
        return Err(dead("the client may not use that grant any more"));
    }
    if !grant.scope.is_subset(&ctx.client.scope) {
        // The client was allowed less since; what it was allowed before ends.
        return Err(dead("the client may ask for less since"));
    }
    if user.status != UserStatus::Active {
        return Err(dead("its person is not active"));
    }
    if grant.auth_time < user.password_changed_at {
        return Err(dead("the password was changed since"));
    }
    Ok(())
}

/// Ends a family for good, although the request that showed it is refused.
pub fn revoke_family<T>(ctx: &Ctx, tx: &mut Tx<'_>, grant: &Grant, kind: EventKind) -> Result<T, NotIssued> {
    grants::revoke(tx, grant, ctx.now)?;
    let detail = serde_json::json!({"severity": "high", "family": grant.id});
    let event = ctx.event(kind, false).subject(grant.user_id).detail(detail);
    ctx.record(tx, event)?;
    Err(ended(kind.as_str()).into())
}

/// What is said of a code or refresh token whose family has ended.
pub fn ended(why: &'static str) -> Rejection {
    let error = OAuthError::invalid_grant("the grant is invalid, expired or was used before").with_detail(why);
    Rejection { error, grant: GrantFate::Revoked }
}

/// Refuses, and keeps the record of it.
pub fn refuse_recorded<T>(ctx: &Ctx, tx: &mut Tx<'_>, event: Event, error: OAuthError) -> Result<T, NotIssued> {
    ctx.record(tx, event)?;
    Err(Rejection::of(error).into())
}

/// Records that a known client got no tokens, unless it only says that nobody can be served now, and gives the fault back.
pub async fn record_failure(ctx: &Ctx, fault: Fault) -> Fault {
    if let Fault::OAuth(error) = &fault
        && error.code.is_decision()
    {
        let detail = serde_json::json!({"grant_type": ctx.params.get("grant_type"), "why": error.detail});
        let event = ctx.event(EventKind::TokenRefused, false).reason(error.code.as_str()).detail(detail);
        event.record_alone(&ctx.app.trail).await;
    }
    fault
}
