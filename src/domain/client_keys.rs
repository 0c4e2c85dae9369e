//! The public keys of a client (RFC 7517), for its assertions.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use serde_json::Value;

use super::client_validation::ClientValidation;

/// The signature algorithms of assertions (RFC 7518 §3.1, RFC 8037). Metadata and the check of assertions read the same list.
pub const ASSERTION_ALGORITHMS: &[&str] = &["ES256", "EdDSA", "PS256", "RS256"];

const MIN_RSA_BITS: usize = 2048;

/// Whether a signature by this algorithm may be verified with this key. The key decides, never a header alone.
pub fn may_verify(key: &Jwk, algorithm: &str) -> bool {
    let registered = key.common.key_algorithm.map(|registered| registered.to_string());
    let is_for_signatures = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature))
        && key.common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    is_for_signatures
        && registered.is_none_or(|registered| registered == algorithm)
        && match &key.algorithm {
            AlgorithmParameters::EllipticCurve(ec) => ec.curve == EllipticCurve::P256 && algorithm == "ES256",
            AlgorithmParameters::OctetKeyPair(okp) => okp.curve == EllipticCurve::Ed25519 && algorithm == "EdDSA",
            AlgorithmParameters::RSA(rsa) => {
                matches!(algorithm, "PS256" | "RS256") && bits(&rsa.n).is_some_and(|bits| bits >= MIN_RSA_BITS)
            }
            _ => false,
        }
}

/// The length of a number in base64url.
fn bits(number: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(number).ok()?;
    let first = bytes.iter().position(|byte| *byte != 0)?;
    let zeros = usize::try_from(bytes[first].leading_zeros()).ok()?;
    Some((bytes.len() - first) * 8 - zeros)
}

/// Whether the numbers of a key are those of a key at all: a point that is on its curve, an exponent that is odd.
fn is_sound(key: &Jwk) -> bool {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    match &key.algorithm {
        AlgorithmParameters::EllipticCurve(ec) => match (decode(&ec.x), decode(&ec.y)) {
            (Some(x), Some(y)) if x.len() == 32 && y.len() == 32 => {
                // SEC 1 §2.3.4: an uncompressed point
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [&[4][..], &x, &y].concat()).is_ok()
            }
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(okp) => {
            decode(&okp.x).is_some_and(|x| x.len() == 32 && ParsedPublicKey::new(&ED25519, x).is_ok())
        }
        AlgorithmParameters::RSA(rsa) => decode(&rsa.e).is_some_and(|e| {
            e.last().is_some_and(|last| last % 2 == 1) && bits(&rsa.e).is_some_and(|bits| (2..=64).contains(&bits))
        }),
        _ => false,
    }
}

/// Refuses a key set with a private part, and one with which no signature could ever be verified.
pub fn validate_jwks(text: &str) -> Result<(), ClientValidation> {
    let fail = |why: &str| Err(ClientValidation(format!("the key set {why}")));
    let Ok(set) = serde_json::from_str::<Value>(text) else { return fail("is not JSON") };
    let Some(keys) = set.get("keys").and_then(Value::as_array) else {
        return fail("has no array \"keys\" (RFC 7517 section 5)");
    };
    if keys.is_empty() || keys.len() > 20 {
        return fail("must have 1 to 20 keys");
    }
    for key in keys {
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|private| key.get(private).is_some()) {
            return fail("has a private or symmetric key; register the public part alone");
        }
    }
    let can_verify = |key: &Value| {
        let key = serde_json::from_value::<Jwk>(key.clone()).ok();
        key.is_some_and(|key| {
            is_sound(&key) && ASSERTION_ALGORITHMS.iter().any(|algorithm| may_verify(&key, algorithm))
        })
    };
    if keys.iter().any(can_verify) {
        return Ok(());
    }
    fail(
        "has no key that could verify a signature; use a P-256, Ed25519 or RSA key of 2048 bits or more, for \"use\": \"sig\"",
    )
}
