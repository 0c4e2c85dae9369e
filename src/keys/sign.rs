//! Signs tokens (RFC 7515), and verifies those that this server signed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::ring::Key;
use super::{KeyError, Snapshot};
use crate::support::Seconds;

/// The kinds of token that this server signs; each is told from the others by `typ` (RFC 8725 §3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jwt {
    /// RFC 9068 §2.1
    AccessToken,
    /// OIDC Core §2
    IdToken,
}

impl Jwt {
    const fn typ(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::IdToken => "JWT",
        }
    }
}

/// Longer ones are none of ours.
const MAX_TOKEN: usize = 16 * 1024;
const MAX_HEADER: usize = 512;

/// Signs claims (RFC 7515 §3.1).
pub fn sign<T: Serialize>(key: &Key, kind: Jwt, claims: &T) -> Result<String, KeyError> {
    let mut token = String::with_capacity(768);
    let header = format!(r#"{{"typ":"{}","alg":"{}","kid":"{}"}}"#, kind.typ(), key.algorithm, key.kid);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    let claims = serde_json::to_vec(claims).map_err(|e| KeyError::Sign(e.to_string()))?;
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// The header of a token of ours: these members and no other, so that `jwk`, `jku`, `x5u`, `crit` and `zip` are
/// refused without being looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    typ: String,
    alg: String,
    kid: String,
}

/// Whether a key of this server could have this id: what no database has need not be looked for.
fn may_be_ours(kid: &str) -> bool {
    (1..=64).contains(&kid.len()) && kid.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

impl Snapshot {
    /// The id of a key that a token names and that is not here: it may have been made a moment ago.
    pub fn unknown_kid(&self, token: &str) -> Option<String> {
        let (message, _) = token.rsplit_once('.').filter(|_| token.len() <= MAX_TOKEN)?;
        let (header, _) = message.split_once('.').filter(|(header, _)| header.len() <= MAX_HEADER)?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let is_known = self.keys().iter().any(|key| key.kid == header.kid);
        (!is_known && may_be_ours(&header.kid)).then_some(header.kid)
    }

    /// Verifies a token of ours and returns its claims. `None` for whatever is not exactly one of that kind; times are
    /// the caller's to check.
    pub fn verify(&self, token: &str, kind: Jwt, now: Seconds) -> Option<Vec<u8>> {
        verify(token, kind, |kid| self.verifying(kid, now))
    }

    /// The same for what tells of the past and is no credential, such as an ID token as a hint.
    pub fn verify_past(&self, token: &str, kind: Jwt, now: Seconds) -> Option<Vec<u8>> {
        verify(token, kind, |kid| self.verifying_past(kid, now))
    }
}

fn verify<'a>(token: &str, kind: Jwt, find: impl FnOnce(&str) -> Option<&'a Key>) -> Option<Vec<u8>> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    if header.len() > MAX_HEADER || claims.contains('.') {
        return None;
    }
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let key = find(&header.kid)?;
    if header.alg != key.algorithm.as_str() || header.typ != kind.typ() {
        return None;
    }
    let algorithm = key.algorithm.as_str().parse().ok()?;
    let valid = jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.verifying, algorithm).ok()?;
    if valid { URL_SAFE_NO_PAD.decode(claims).ok() } else { None }
}
