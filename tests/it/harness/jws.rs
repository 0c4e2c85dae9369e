//! Keys and tokens that tests make themselves, right or forged.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::random;

/// A P-256 key for ES256.
#[derive(Debug)]
pub struct EsKey {
    pub kid: String,
    pair: EcdsaKeyPair,
}

impl EsKey {
    pub fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { kid: random(8), pair }
    }

    /// The public half, as RFC 7517 writes it.
    pub fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid, "x": x, "y": y})
    }

    pub fn jwks(&self) -> Value {
        json!({"keys": [self.jwk()]})
    }

    /// A compact JWS with this key's own header.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(&json!({"alg": "ES256", "kid": self.kid}), claims)
    }

    /// A compact JWS whose header may say anything.
    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let input = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).expect("a signature");
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A token with a header and claims and no signature.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}.", part(header), part(claims))
}

#[track_caller]
pub fn header_of(token: &str) -> Value {
    decoded(token, 0)
}

/// The claims of a token, unverified.
#[track_caller]
pub fn claims_of(token: &str) -> Value {
    decoded(token, 1)
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[track_caller]
fn decoded(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap_or_else(|| panic!("no JWT: {token}"));
    let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_else(|error| panic!("{error} in {token}"));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error} in {token}"))
}
