//! ID tokens (OIDC Core §2), typed by openidconnect, signed by our key ring.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use openidconnect::core::CoreGenderClaim;
use openidconnect::{
    AccessTokenHash, AdditionalClaims, Audience, AuthenticationContextClass, AuthenticationMethodReference,
    EndUserEmail, EndUserFamilyName, EndUserGivenName, EndUserName, EndUserUsername, IdTokenClaims, IssuerUrl, Nonce,
    StandardClaims, SubjectIdentifier,
};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::domain::{Algorithm, Client, Grant, IdTokenClaims as IdTokenClaimsPolicy, Scopes, User};
use crate::fault::Fault;
use crate::keys::{self, Jwt, Snapshot};
use crate::protocol::OAuthError;
use crate::support::{Seconds, sha256};

/// What an ID token of ours has beyond the claims that openidconnect types.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IdTokenExtra {
    /// The session, for logout (OIDC Front-Channel Logout §3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

impl AdditionalClaims for IdTokenExtra {}

/// What an ID token tells, and to whom.
pub struct About<'a> {
    pub client: &'a Client,
    pub user: &'a User,
    pub grant: &'a Grant,
    /// What the access token beside it is for.
    pub scope: &'a Scopes,
    pub nonce: Option<&'a str>,
    pub access_token: &'a str,
}

/// Signs an ID token for a client, by the algorithm that it registered or by the default.
pub fn issue(app: &App, ring: &Snapshot, about: &About<'_>) -> Result<String, Fault> {
    let About { client, user, grant, scope, nonce, access_token } = *about;
    let failed = |e: &dyn std::fmt::Display| Fault::from(OAuthError::server_error(format!("ID token: {e}")));
    let now = app.now();
    let algorithm = client.id_token_alg.unwrap_or(app.id_token_alg);
    let issuer = IssuerUrl::new(app.issuer().to_owned()).map_err(|e| failed(&e))?;
    let expires = now + app.config.tokens.id_token_seconds;
    let claims: IdTokenClaims<IdTokenExtra, CoreGenderClaim> = IdTokenClaims::new(
        issuer,
        vec![Audience::new(client.client_id.clone())],
        time(expires)?,
        time(now)?,
        person_claims(client, user, scope)?,
        IdTokenExtra { sid: grant.session_id.map(|id| session_claim(client, id)) },
    )
    .set_auth_time(Some(time(grant.auth_time)?))
    .set_nonce(nonce.map(|nonce| Nonce::new(nonce.to_owned())))
    .set_auth_context_ref(Some(AuthenticationContextClass::new(super::ACR_PASSWORD.to_owned())))
    .set_auth_method_refs(Some(
        super::AMR_PASSWORD.iter().map(|method| AuthenticationMethodReference::new((*method).to_owned())).collect(),
    ))
    .set_access_token_hash(Some(access_token_hash(access_token, algorithm)));
    let key = ring.signing(algorithm, now).map_err(|e| failed(&e))?;
    keys::sign(key, Jwt::IdToken, &claims).map_err(|e| failed(&e))
}

/// OIDC Core §5.4: with the code flow the claims of scopes are for userinfo, and in the ID token as well where a client is
/// registered for that. Both come of one function.
fn person_claims(client: &Client, user: &User, scope: &Scopes) -> Result<StandardClaims<CoreGenderClaim>, Fault> {
    let claims = StandardClaims::new(SubjectIdentifier::new(user.id.to_string()));
    if client.id_token_claims == IdTokenClaimsPolicy::Standard {
        return Ok(claims);
    }
    let info = super::of_person(user, scope);
    Ok(claims
        .set_name(info.name.map(|name| EndUserName::new(name).into()))
        .set_given_name(info.given_name.map(|name| EndUserGivenName::new(name).into()))
        .set_family_name(info.family_name.map(|name| EndUserFamilyName::new(name).into()))
        .set_preferred_username(info.preferred_username.map(EndUserUsername::new))
        .set_updated_at(info.updated_at.map(time).transpose()?)
        .set_email(info.email.map(EndUserEmail::new))
        .set_email_verified(info.email_verified))
}

fn time(seconds: Seconds) -> Result<DateTime<Utc>, Fault> {
    DateTime::from_timestamp(seconds, 0).ok_or_else(|| OAuthError::server_error("a time that no calendar has").into())
}

/// OIDC Core §3.1.3.6: the left half of the hash that the signature algorithm uses; for Ed25519 that is SHA-512.
fn access_token_hash(access_token: &str, algorithm: Algorithm) -> AccessTokenHash {
    let hash = match algorithm {
        Algorithm::EdDsa => &SHA512,
        Algorithm::Es256 | Algorithm::Rs256 | Algorithm::Ps256 => &SHA256,
    };
    let digest = digest(hash, access_token.as_bytes());
    AccessTokenHash::new(URL_SAFE_NO_PAD.encode(&digest.as_ref()[..digest.as_ref().len() / 2]))
}

/// A session as one client may know it: the same each time, and not our own identifier.
fn session_claim(client: &Client, session: crate::support::Id) -> String {
    URL_SAFE_NO_PAD.encode(&sha256(format!("sid\n{session}\n{}", client.client_id).as_bytes())[..16])
}
