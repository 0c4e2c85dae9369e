//! The transaction in which a draft is decided, and its signature after the commit.

use super::outcome::{GrantFate, NotIssued, Rejection};
use super::steps::{self, Ctx, Draft};
use crate::audit::Event;
use crate::domain::{AccessToken, ROLES, Scopes};
use crate::fault::Fault;
use crate::keys::{self, Jwt};
use crate::oidc;
use crate::protocol::{JwtClaims, OAuthError};
use crate::storage::{Refusal, Tx};
use crate::support::{Seconds, sha256};

/// What an answer is made of.
pub struct Signed {
    pub access_token: String,
    /// Seconds that the access token has left.
    pub expires_in: Seconds,
    pub scope: String,
    pub refresh_token: Option<String>,
}

/// Decides and writes what is issued, and the record of it, in one transaction. [`Fault::ClientChanged`] if the client is
/// not any more what it was when it was read.
///
/// `single_use` is the code or refresh token that is being used. Thousands may come at once with the same one: once its
/// grant was revoked they are refused without the database, because that was recorded and stays true.
pub async fn transact<F>(ctx: &Ctx, name: &'static str, single_use: Option<&str>, mut decide: F) -> Result<Draft, Fault>
where
    F: FnMut(&Ctx, &mut Tx<'_>) -> Result<Draft, NotIssued> + Send + 'static,
{
    let key = single_use.map(|text| sha256(format!("{} {text}", ctx.client.client_id).as_bytes()));
    let known = ctx.app.clone();
    let settled = move || {
        let ended = key.is_some_and(|key| known.spent.contains_key(&key));
        ended.then(|| steps::ended("it was before"))
    };
    if let Some(rejection) = settled() {
        return Err(rejection.error.into());
    }
    let shared = ctx.clone();
    let work = move |tx: &mut Tx<'_>| -> Result<_, Refusal<NotIssued>> {
        let ctx = &shared;
        if tx.client_version(&ctx.client.client_id).map_err(NotIssued::from)? != Some(ctx.client.version) {
            return Err(NotIssued::from(Fault::ClientChanged).into());
        }
        let draft = decide(ctx, tx).map_err(|why| match why {
            NotIssued::Failed(_) => Refusal::RollBack(why),
            NotIssued::Rejected(_) => Refusal::Commit(why),
        })?;
        ctx.record(tx, draft.audit(ctx)).map_err(NotIssued::from)?;
        Ok(draft)
    };
    let settled = move || settled().map(NotIssued::from);
    match ctx.app.db.write_unless(name, settled, work).await {
        Ok(draft) => Ok(draft),
        Err(NotIssued::Failed(fault)) => Err(steps::record_failure(ctx, fault).await),
        // It was committed: had that failed, this would be the failure.
        Err(NotIssued::Rejected(Rejection { error, grant })) => {
            if let (Some(key), GrantFate::Revoked) = (key, grant) {
                ctx.app.spent.insert(key, ());
            }
            Err(error.into())
        }
    }
}

impl Draft {
    /// The record of what is issued.
    pub fn audit(&self, ctx: &Ctx) -> Event {
        let event = ctx.event(self.event, true);
        match &self.person {
            Some((user, grant)) => event.subject(user.id).detail(serde_json::json!({"family": grant.id})),
            None => event,
        }
    }
}

/// Signs what was decided. Never inside a transaction.
pub fn sign(ctx: &Ctx, draft: &Draft) -> Result<Signed, Fault> {
    // A node that cannot sign is not one that was asked wrongly: another can.
    let failed = |e: keys::KeyError| Fault::from(OAuthError::unavailable(e.to_string()));
    let ring = ctx.app.keys.snapshot();
    let scope = draft.token.scope.to_string();
    let claims = access_claims(ctx, draft, &scope);
    let key = ring.signing(ctx.app.access_token_alg, ctx.now).map_err(failed)?;
    let access_token = keys::sign(key, Jwt::AccessToken, &claims).map_err(failed)?;
    let expires_in = draft.token.expires_at - ctx.now;
    Ok(Signed { access_token, expires_in, scope, refresh_token: draft.refresh_token.clone() })
}

/// Whether the role of a person may be told: to the operator's own apps, and where the person allowed it.
fn may_know_roles(ctx: &Ctx, scope: &Scopes) -> bool {
    ctx.client.is_first_party() || scope.contains(ROLES)
}

fn access_claims<'a>(ctx: &'a Ctx, draft: &'a Draft, scope: &'a str) -> JwtClaims<'a> {
    let AccessToken { subject, audience, client_id, jti, issued_at, expires_at, .. } = &draft.token;
    let granted = &draft.token.scope;
    let person = draft.person.as_ref();
    JwtClaims {
        iss: ctx.app.issuer(),
        sub: subject,
        aud: audience,
        client_id,
        scope,
        roles: person.filter(|_| may_know_roles(ctx, granted)).map(|(user, _)| [user.role.as_str()]),
        jti: jti.to_string(),
        iat: *issued_at,
        exp: *expires_at,
        auth_time: person.map(|(_, grant)| grant.auth_time),
        acr: person.map(|_| oidc::ACR_PASSWORD),
        amr: person.map(|_| oidc::AMR_PASSWORD),
    }
}
