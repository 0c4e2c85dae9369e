//! `private_key_jwt` (RFC 7523 §3, OIDC Core §9).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::{AssertionAudience, Client, may_verify};
use crate::fault::Fault;
use crate::protocol::NumericDate;
use crate::storage::{Db, Refusal, assertions, restore_point};
use crate::support::{Seconds, sha256};

/// An assertion lives at most so long, so that those that were used need not be remembered for longer.
const MAX_LIFE: Seconds = 600;
const MAX_BYTES: usize = 8 * 1024;
const MAX_JTI: usize = 256;

/// What is wrong with an assertion: for the audit trail and the log, never for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    Malformed,
    /// `iss` or `sub` is not the client.
    Issuer,
    Audience,
    Expired,
    TooLong,
    NotYet,
    Header,
    /// No registered key fits `kid` and `alg`.
    NoKey,
    Signature,
    Replayed,
}

impl Flaw {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "assertion_malformed",
            Self::Issuer => "assertion_issuer",
            Self::Audience => "assertion_audience",
            Self::Expired => "assertion_expired",
            Self::TooLong => "assertion_too_long",
            Self::NotYet => "assertion_not_yet_valid",
            Self::Header => "assertion_header",
            Self::NoKey => "assertion_no_key",
            Self::Signature => "assertion_signature",
            Self::Replayed => "assertion_replayed",
        }
    }
}

struct Parts<'a> {
    message: &'a str,
    signature: &'a str,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

fn split(token: &str) -> Option<Parts<'_>> {
    if token.len() > MAX_BYTES {
        return None;
    }
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    Some(Parts { message, signature, header: object(header)?, claims: object(claims)? })
}

/// A JSON object with no name in it twice (RFC 7515 §4).
fn object(encoded: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let map: Unique = serde_json::from_slice(&bytes).ok()?;
    Some(map.0)
}

struct Unique(Map<String, Value>);

impl<'de> serde::Deserialize<'de> for Unique {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Unique;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object without repeated names")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut access: A) -> Result<Unique, A::Error> {
                let mut map = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if map.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a repeated name"));
                    }
                }
                Ok(Unique(map))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// Whom an assertion speaks for, before anything of it is believed.
pub fn claimed_subject(token: &str) -> Option<String> {
    Some(split(token)?.claims.get("sub")?.as_str()?.to_owned())
}

/// What an assertion that was found right says of itself.
pub struct Use {
    jti: String,
    expires_at: Seconds,
    issued_at: Option<Seconds>,
}

impl Use {
    /// Whether it may have been used before a database was restored, which has forgotten that. Whoever used it before
    /// may have had a clock that was ahead by as much as is forgiven.
    fn may_be_older_than(&self, restore: Seconds, skew: Seconds) -> bool {
        match self.issued_at {
            Some(at) => at <= restore + skew,
            None => self.expires_at <= restore + MAX_LIFE + skew,
        }
    }
}

/// The one use of an assertion that was found right.
pub fn single_use(token: &str) -> Option<Use> {
    let claims = split(token)?.claims;
    Some(Use {
        jti: claims.get("jti")?.as_str()?.to_owned(),
        expires_at: time(&claims, "exp").ok()??,
        issued_at: time(&claims, "iat").ok()?,
    })
}

/// Remembers the `jti`; `false` if it was used before, or may have been (RFC 7523 §3, item 7).
pub async fn remember(db: &Db, client_id: &str, assertion: Use, skew: Seconds) -> Result<bool, Fault> {
    let (client_id, hash) = (client_id.to_owned(), sha256(assertion.jti.as_bytes()));
    db.write("assertion.remember", move |tx| -> Result<_, Refusal<Fault>> {
        let restore = restore_point::get(tx.reader()).map_err(Fault::from)?;
        if restore.is_some_and(|at| assertion.may_be_older_than(at, skew)) {
            return Ok(false);
        }
        Ok(assertions::remember(tx, &client_id, &hash, assertion.expires_at + skew).map_err(Fault::from)?)
    })
    .await
}

/// What an assertion is held against.
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub token_endpoint: &'a str,
    pub now: Seconds,
    pub skew: Seconds,
}

/// Whether this is a client's own assertion, for this server and for now.
pub fn check(client: &Client, token: &str, expected: &Expected<'_>) -> Result<(), Flaw> {
    let parts = split(token).ok_or(Flaw::Malformed)?;
    check_claims(&parts.claims, client, expected)?;
    if !header_is_plain(&parts.header) {
        return Err(Flaw::Header);
    }
    check_signature(client, &parts)
}

/// A time that is there must be a number (RFC 7519 §2): what is malformed is not absent.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<Seconds>, Flaw> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let date = NumericDate::deserialize(value).map_err(|_| Flaw::Malformed)?;
    let seconds = if name == "exp" { date.floor() } else { date.ceil() };
    if (0..1 << 40).contains(&seconds) { Ok(Some(seconds)) } else { Err(Flaw::Malformed) }
}

/// One audience alone, as a string or as a list of one, so that the assertion is good for no other party as well.
fn audience(claims: &Map<String, Value>) -> Option<&str> {
    match claims.get("aud")? {
        Value::String(one) => Some(one),
        Value::Array(list) => match list.as_slice() {
            [Value::String(only)] => Some(only),
            _ => None,
        },
        _ => None,
    }
}

fn check_claims(claims: &Map<String, Value>, client: &Client, expected: &Expected<'_>) -> Result<(), Flaw> {
    let Expected { issuer, token_endpoint, now, skew } = *expected;
    let is = |name: &str, wanted: &str| claims.get(name).and_then(Value::as_str) == Some(wanted);
    if !is("iss", &client.client_id) || !is("sub", &client.client_id) {
        return Err(Flaw::Issuer);
    }
    let audience = audience(claims).ok_or(Flaw::Audience)?;
    let is_endpoint = client.assertion_audience == AssertionAudience::TokenEndpoint && audience == token_endpoint;
    if audience != issuer && !is_endpoint {
        return Err(Flaw::Audience);
    }
    let exp = time(claims, "exp")?.ok_or(Flaw::Malformed)?;
    let begins = [time(claims, "nbf")?, time(claims, "iat")?].into_iter().flatten().max();
    if exp + skew <= now {
        return Err(Flaw::Expired);
    }
    if exp > now + MAX_LIFE + skew {
        return Err(Flaw::TooLong);
    }
    if begins.is_some_and(|at| at > now + skew) {
        return Err(Flaw::NotYet);
    }
    let jti = claims.get("jti").and_then(Value::as_str).unwrap_or_default();
    if (1..=MAX_JTI).contains(&jti.len()) { Ok(()) } else { Err(Flaw::Malformed) }
}

/// RFC 8725 §3: nothing that would have us look elsewhere for a key, and no other kind of token.
fn header_is_plain(header: &Map<String, Value>) -> bool {
    let suspicious = ["jwk", "jku", "x5u", "x5c", "crit", "zip", "b64"];
    let typ = header.get("typ").and_then(Value::as_str).map(str::to_ascii_lowercase);
    !suspicious.iter().any(|name| header.contains_key(*name))
        && match header.get("typ") {
            None => true,
            Some(_) => matches!(typ.as_deref(), Some("jwt" | "client-authentication+jwt")),
        }
}

/// With a `kid`, that key; without, every key of the algorithm. The algorithm is the key's, never the header's alone.
fn check_signature(client: &Client, parts: &Parts<'_>) -> Result<(), Flaw> {
    let set: Value = client.jwks.as_deref().and_then(|jwks| serde_json::from_str(jwks).ok()).unwrap_or_default();
    let alg = parts.header.get("alg").and_then(Value::as_str).ok_or(Flaw::Header)?;
    let kid = match parts.header.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.as_str()),
        Some(_) => return Err(Flaw::Header),
    };
    let keys = set.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut fitting = keys
        .into_iter()
        .filter_map(|key| serde_json::from_value::<Jwk>(key).ok())
        .filter(|key| kid.is_none() || key.common.key_id.as_deref() == kid)
        .filter(|key| may_verify(key, alg))
        .peekable();
    if fitting.peek().is_none() {
        return Err(Flaw::NoKey);
    }
    if fitting.any(|key| verify(&key, alg, parts)) { Ok(()) } else { Err(Flaw::Signature) }
}

fn verify(key: &Jwk, alg: &str, parts: &Parts<'_>) -> bool {
    let (Ok(key), Ok(alg)) = (DecodingKey::from_jwk(key), alg.parse()) else { return false };
    jsonwebtoken::crypto::verify(parts.signature, parts.message.as_bytes(), &key, alg).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_restore_only_what_is_provably_newer_counts() {
        let made = |issued_at, expires_at| Use { jti: "x".to_owned(), expires_at, issued_at };
        let older = |assertion: Use| assertion.may_be_older_than(10_000, 60);
        assert!(older(made(Some(9_000), 10_100)));
        assert!(older(made(Some(10_060), 10_100)), "its client's clock may have been ahead");
        assert!(!older(made(Some(10_061), 10_100)));
        assert!(older(made(None, 10_000 + MAX_LIFE + 60)), "accepted just before the restore");
        assert!(!older(made(None, 10_000 + MAX_LIFE + 61)), "not acceptable before the restore");
    }
}
