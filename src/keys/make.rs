//! Makes private keys, parses them once, and derives their public part.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{KeyError, Unsealed};
use crate::domain::Algorithm;
use crate::support::sha256;

/// A private key, parsed once. jsonwebtoken parses it for each signature, which for RSA takes longer than to sign.
pub(super) enum PrivateKey {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn aws_lc_rs::signature::RsaEncoding),
}

impl PrivateKey {
    /// Reads PKCS#8.
    pub fn read(algorithm: Algorithm, pkcs8: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok().map(Self::Ecdsa),
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).ok().map(Self::Ed25519),
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).ok().map(|key| Self::Rsa(key, &RSA_PKCS1_SHA256)),
            Algorithm::Ps256 => RsaKeyPair::from_pkcs8(pkcs8).ok().map(|key| Self::Rsa(key, &RSA_PSS_SHA256)),
        }
    }

    /// A JWS signature (RFC 7518 §3) over `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let failed = |_| KeyError::Sign("the cryptographic library refused".to_owned());
        let rng = SystemRandom::new();
        match self {
            Self::Ecdsa(key) => key.sign(&rng, message).map(|s| s.as_ref().to_vec()).map_err(failed),
            Self::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
            Self::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &rng, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }

    fn public_jwk(&self) -> Value {
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ecdsa(key) => {
                // An uncompressed point: 4, x, y.
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..])})
            }
            Self::Ed25519(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().as_ref())}),
            Self::Rsa(key, _) => {
                let public = key.public_key();
                json!({
                    "kty": "RSA",
                    "n": b64(public.modulus().big_endian_without_leading_zero()),
                    "e": b64(public.exponent().big_endian_without_leading_zero()),
                })
            }
        }
    }
}

/// A fresh private key as PKCS#8.
pub(super) fn make(algorithm: Algorithm) -> Result<Unsealed, KeyError> {
    let rng = SystemRandom::new();
    let der = match algorithm {
        Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng)
            .map_err(|_| KeyError::Make)?
            .as_ref()
            .to_vec(),
        Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&rng).map_err(|_| KeyError::Make)?.as_ref().to_vec(),
        Algorithm::Rs256 | Algorithm::Ps256 => RsaKeyPair::generate(KeySize::Rsa2048)
            .and_then(|key| AsDer::as_der(&key).map(|der: aws_lc_rs::encoding::Pkcs8V1Der<'_>| der.as_ref().to_vec()))
            .map_err(|_| KeyError::Make)?,
    };
    Ok(Unsealed::new(der))
}

/// The public part of a private key as a JWK (RFC 7517) with `use`, `alg` and, as `kid`, its thumbprint (RFC 7638).
pub fn public_part(algorithm: Algorithm, pkcs8: &[u8]) -> Option<(String, Value)> {
    let mut jwk = PrivateKey::read(algorithm, pkcs8)?.public_jwk();
    // RFC 7638 §3.2: the required members in lexicographic order, which is how serde_json orders them.
    let kid = URL_SAFE_NO_PAD.encode(sha256(jwk.to_string().as_bytes()));
    jwk["kid"] = Value::from(kid.clone());
    jwk["alg"] = Value::from(algorithm.as_str());
    jwk["use"] = Value::from("sig");
    Some((kid, jwk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_signs_what_its_public_part_verifies() {
        for &algorithm in Algorithm::ALL {
            let pkcs8 = make(algorithm).expect("a key");
            let (kid, jwk) = public_part(algorithm, &pkcs8).expect("a public part");
            assert_eq!(jwk["kid"], kid.as_str());
            assert!(jwk.get("d").is_none() && jwk.get("p").is_none());
            let signature = PrivateKey::read(algorithm, &pkcs8).expect("readable").sign(b"message").expect("signed");
            let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk).expect("a JWK");
            let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).expect("a verifying key");
            let wire = algorithm.as_str().parse().expect("known to jsonwebtoken");
            let valid = |message: &[u8]| {
                jsonwebtoken::crypto::verify(&URL_SAFE_NO_PAD.encode(&signature), message, &key, wire)
                    .expect("verifiable")
            };
            assert!(valid(b"message"));
            assert!(!valid(b"massage"));
        }
    }
}
