//! Keys and tokens that tests make themselves, right or forged.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::server::ENCRYPTION_KEY;
use super::{Server, random};

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

    /// The server's own key, as whoever broke into it has it: for tokens that are signed and wrong all the same.
    #[track_caller]
    pub fn stolen(server: &Server) -> Self {
        let rows = server.database.rows("signing_keys", "algorithm = 'ES256' AND retired_at IS NULL");
        let row = rows.first().expect("a key that signs");
        let text = |name: &str| row[name].as_str().expect("text").to_owned();
        let (kid, sealed) = (text("kid"), bytes(text("sealed_private_key").trim_start_matches("\\x")));
        let key = URL_SAFE_NO_PAD.decode(ENCRYPTION_KEY).expect("base64url");
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("256 bits"));
        let (nonce, mut body) =
            (Nonce::try_assume_unique_for_key(&sealed[..12]).expect("a nonce"), sealed[12..].to_vec());
        let pkcs8 = key.open_in_place(nonce, Aad::from(kid.as_bytes()), &mut body).expect("it opens");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).expect("a key");
        Self { kid, pair }
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
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// A compact JWS of what need not even be JSON.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
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

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().collect();
    let pair = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hexadecimal");
    digits.chunks(2).map(pair).collect()
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
