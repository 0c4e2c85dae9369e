//! Public keys (RFC 7517), each made ready once, with the one algorithm that it verifies.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::value::RawValue;

use crate::algorithm::Algorithm;
use crate::json::{Malformed, Object};

/// More than an issuer has in any life of its keys.
const MAX_KEYS: usize = 100;
/// RSA moduli in bytes: shorter ones are broken, longer ones only cost time (RFC 7518 §3.3).
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

/// A key that verifies, and by which algorithm: whatever a token's header says, this decides.
pub(crate) struct VerifyingKey {
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

pub(crate) type KeySet = HashMap<String, Arc<VerifyingKey>>;

/// The keys of a JWKS that can verify by one of the algorithms allowed, by their `kid`. Others are left out: a set may hold
/// what is meant for something else (RFC 7517 §5).
pub(crate) fn read_set(json: &[u8], allowed: &[Algorithm]) -> Result<KeySet, Malformed> {
    let keys = Object::parse(json)?.required::<Vec<&RawValue>>("keys")?;
    if keys.len() > MAX_KEYS {
        return Err(Malformed);
    }
    let mut set = KeySet::with_capacity(keys.len());
    for key in keys {
        if let Some((kid, key)) = read(key.get().as_bytes(), allowed) {
            set.entry(kid).or_insert_with(|| Arc::new(key));
        }
    }
    Ok(set)
}

fn read(json: &[u8], allowed: &[Algorithm]) -> Option<(String, VerifyingKey)> {
    let jwk = Object::parse(json).ok()?;
    let text = |name: &str| jwk.required::<String>(name).ok();
    let meant_for_signatures = jwk.optional::<String>("use").ok()?.is_none_or(|purpose| purpose == "sig")
        && jwk.optional::<Vec<String>>("key_ops").ok()?.is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    let (usual, key) = match text("kty")?.as_str() {
        "EC" if text("crv")? == "P-256" => (Algorithm::Es256, ec(&text("x")?, &text("y")?)?),
        "OKP" if text("crv")? == "Ed25519" => (Algorithm::EdDsa, ed(&text("x")?)?),
        "RSA" => (Algorithm::Rs256, rsa(&text("n")?, &text("e")?)?),
        _ => return None,
    };
    let algorithm = match jwk.optional::<String>("alg").ok()? {
        Some(name) => Algorithm::parse(&name)?,
        None => usual,
    };
    let both_rsa = usual == Algorithm::Rs256 && algorithm == Algorithm::Ps256;
    let fits = (algorithm == usual || both_rsa) && meant_for_signatures && allowed.contains(&algorithm);
    fits.then_some((text("kid")?, VerifyingKey { algorithm, key }))
}

fn ec(x: &str, y: &str) -> Option<DecodingKey> {
    (bytes(x)? == 32 && bytes(y)? == 32).then(|| DecodingKey::from_ec_components(x, y).ok())?
}

fn ed(x: &str) -> Option<DecodingKey> {
    (bytes(x)? == 32).then(|| DecodingKey::from_ed_components(x).ok())?
}

fn rsa(n: &str, e: &str) -> Option<DecodingKey> {
    (MODULUS.contains(&bytes(n)?) && bytes(e)? <= 8).then(|| DecodingKey::from_rsa_components(n, e).ok())?
}

/// How many bytes some base64url stands for.
fn bytes(text: &str) -> Option<usize> {
    URL_SAFE_NO_PAD.decode(text).ok().map(|bytes| bytes.len())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ec_key() -> Value {
        // RFC 7515, appendix A.3.
        json!({
            "kty": "EC", "crv": "P-256", "kid": "one",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    }

    fn read_one(jwk: &Value) -> Option<Algorithm> {
        let set = json!({"keys": [jwk]}).to_string();
        let set = read_set(set.as_bytes(), Algorithm::ALL).expect("a set");
        set.get("one").map(|key| key.algorithm)
    }

    #[test]
    fn a_key_is_for_one_algorithm() {
        assert_eq!(read_one(&ec_key()), Some(Algorithm::Es256));
        for (name, value) in [
            ("alg", json!("RS256")),
            ("alg", json!("HS256")),
            ("alg", json!("none")),
            ("alg", json!(7)),
            ("use", json!("enc")),
            ("key_ops", json!(["sign"])),
            ("kty", json!("oct")),
            ("kty", json!("RSA")),
            ("crv", json!("P-384")),
            ("x", json!("AAAA")),
            ("x", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=")),
        ] {
            let mut jwk = ec_key();
            jwk[name] = value;
            assert_eq!(read_one(&jwk), None, "{jwk}");
        }
        let mut jwk = ec_key();
        jwk["use"] = json!("sig");
        jwk["alg"] = json!("ES256");
        assert_eq!(read_one(&jwk), Some(Algorithm::Es256));
    }

    #[test]
    fn rsa_keys_have_a_length_and_say_which_padding() {
        let key = |bytes: usize| json!({"kty": "RSA", "kid": "one", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(vec![0xc1; bytes])});
        assert_eq!(read_one(&key(256)), Some(Algorithm::Rs256));
        assert_eq!(read_one(&key(128)), None);
        assert_eq!(read_one(&key(2048)), None);
        let mut pss = key(256);
        pss["alg"] = json!("PS256");
        assert_eq!(read_one(&pss), Some(Algorithm::Ps256));
        pss["alg"] = json!("ES256");
        assert_eq!(read_one(&pss), None);
    }

    #[test]
    fn only_what_is_allowed_is_kept() {
        let set = json!({"keys": [ec_key()]}).to_string();
        assert!(read_set(set.as_bytes(), &[Algorithm::Rs256]).expect("a set").is_empty());
        for bad in ["{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, ""] {
            assert!(read_set(bad.as_bytes(), Algorithm::ALL).is_err(), "{bad}");
        }
        assert!(read_set(br#"{"keys":[1,null,{"kty":"EC"}]}"#, Algorithm::ALL).expect("a set").is_empty());
    }
}
