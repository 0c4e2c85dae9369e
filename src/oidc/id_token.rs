//! ID tokens (OIDC Core §2), typed by openidconnect, signed by our key ring.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use openidconnect::core::CoreGenderClaim;
use openidconnect::{
    AccessTokenHash, AdditionalClaims, Audience, AuthenticationContextClass, AuthenticationMethodReference,
    IdTokenClaims, IssuerUrl, Nonce, StandardClaims, SubjectIdentifier,
};

use crate::app::App;
use crate::domain::{Algorithm, Client, Grant, User};
use crate::fault::Fault;
use crate::keys::{self, Jwt, Snapshot};
use crate::protocol::{IdTokenExtra, OAuthError};
use crate::support::{Seconds, sha256};

impl AdditionalClaims for IdTokenExtra {}

/// Signs an ID token for a client, by the algorithm that it registered or by the default.
pub fn issue(
    app: &App,
    ring: &Snapshot,
    client: &Client,
    user: &User,
    grant: &Grant,
    nonce: Option<&str>,
    access_token: &str,
) -> Result<String, Fault> {
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
        StandardClaims::new(SubjectIdentifier::new(user.id.to_string())),
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
