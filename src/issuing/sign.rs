//! The transaction in which a draft is decided, and its signature after the commit.

use super::steps::{Ctx, Draft};
use crate::audit::Event;
use crate::domain::AccessToken;
use crate::fault::Fault;
use crate::keys::{self, Jwt};
use crate::oidc;
use crate::protocol::{JwtClaims, OAuthError};
use crate::storage::{Refusal, Tx};
use crate::support::Seconds;

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
pub async fn transact<F>(ctx: &Ctx, name: &'static str, mut decide: F) -> Result<Draft, Fault>
where
    F: FnMut(&Ctx, &mut Tx<'_>) -> Result<Draft, Refusal<Fault>> + Send + 'static,
{
    let shared = ctx.clone();
    ctx.app
        .db
        .write(name, move |tx| -> Result<_, Refusal<Fault>> {
            let ctx = &shared;
            if tx.client_version(&ctx.client.client_id).map_err(Fault::from)? != Some(ctx.client.version) {
                return Err(Fault::ClientChanged.into());
            }
            let draft = decide(ctx, tx)?;
            ctx.record(tx, draft.audit(ctx))?;
            Ok(draft)
        })
        .await
}

impl Draft {
    /// The record of what is issued.
    pub fn audit(&self, ctx: &Ctx) -> Event {
        let event = ctx.event(self.event, true);
        match &self.person {
            Some((user, _)) => event.subject(user.id),
            None => event,
        }
    }
}

/// Signs what was decided. Never inside a transaction.
pub fn sign(ctx: &Ctx, draft: &Draft) -> Result<Signed, Fault> {
    let failed = |e: keys::KeyError| Fault::from(OAuthError::server_error(e.to_string()));
    let ring = ctx.app.keys.snapshot();
    let scope = draft.token.scope.to_string();
    let claims = access_claims(ctx, draft, &scope);
    let key = ring.signing(ctx.app.access_token_alg, ctx.now).map_err(failed)?;
    let access_token = keys::sign(key, Jwt::AccessToken, &claims).map_err(failed)?;
    let expires_in = draft.token.expires_at - ctx.now;
    Ok(Signed { access_token, expires_in, scope, refresh_token: draft.refresh_token.clone() })
}

fn access_claims<'a>(ctx: &'a Ctx, draft: &'a Draft, scope: &'a str) -> JwtClaims<'a> {
    let AccessToken { subject, audience, client_id, jti, issued_at, expires_at, .. } = &draft.token;
    let person = draft.person.as_ref();
    JwtClaims {
        iss: ctx.app.issuer(),
        sub: subject,
        aud: audience,
        client_id,
        scope,
        jti: jti.to_string(),
        iat: *issued_at,
        exp: *expires_at,
        auth_time: person.map(|(_, grant)| grant.auth_time),
        acr: person.map(|_| oidc::ACR_PASSWORD),
        amr: person.map(|_| oidc::AMR_PASSWORD),
    }
}
