//! Keys for mock mode, the same for the same seed. Whoever knows the seed knows them; nothing that they sign is worth anything.

use aws_lc_rs::signature::Ed25519KeyPair;

use super::make::make;
use super::{KeyError, Sealer, public_part};
use crate::domain::Algorithm;
use crate::storage::keys::StoredKey;
use crate::support::{Rng, Seconds, sha256};

/// An RSA key cannot be made of a seed within the time in which mock mode has to be ready, so that there is one for all seeds.
const RSA: &[u8] = include_bytes!("mock_rsa.pk8");

/// The key of a seed for an algorithm, sealed as all keys are. Its id begins with `mock-`. After a rotation, which has a
/// number, RSA keys are not those of the seed any more.
pub fn seeded(
    algorithm: Algorithm,
    (seed, rotation): (&str, u32),
    sealer: &Sealer,
    rng: &Rng,
    now: Seconds,
) -> Result<StoredKey, KeyError> {
    let secret = sha256(format!("latchway mock key {algorithm} {seed} {rotation}").as_bytes());
    let pkcs8 = match algorithm {
        Algorithm::Es256 => p256(&secret),
        Algorithm::EdDsa => ed25519(&secret)?,
        Algorithm::Rs256 | Algorithm::Ps256 if rotation > 0 => make(algorithm)?.to_vec(),
        Algorithm::Rs256 | Algorithm::Ps256 => RSA.to_vec(),
    };
    let (thumbprint, mut jwk) = public_part(algorithm, &pkcs8).ok_or(KeyError::Make)?;
    let kid = format!("mock-{}-{}", algorithm.as_str().to_ascii_lowercase(), &thumbprint[..8]);
    jwk["kid"] = kid.clone().into();
    Ok(StoredKey {
        sealed_private_key: sealer.seal(rng, &kid, &pkcs8).ok_or(KeyError::Make)?,
        kid,
        algorithm: algorithm.as_str().to_owned(),
        public_jwk: jwk.to_string(),
        created_at: now,
        activates_at: now,
        retired_at: None,
        removed_at: None,
    })
}

/// PKCS#8 (RFC 5958) around RFC 5915 with the private part alone: the public one follows from it.
fn p256(secret: &[u8; 32]) -> Vec<u8> {
    const BEFORE: &[u8] = &[
        0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20,
    ];
    [BEFORE, secret].concat()
}

fn ed25519(secret: &[u8; 32]) -> Result<Vec<u8>, KeyError> {
    let pair = Ed25519KeyPair::from_seed_unchecked(secret).map_err(|_| KeyError::Make)?;
    Ok(pair.to_pkcs8().map_err(|_| KeyError::Make)?.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_its_keys() {
        let (sealer, rng) = (Sealer::new(&[1; 32]).expect("a sealer"), Rng::system());
        let key = |algorithm, seed: &str| seeded(algorithm, (seed, 0), &sealer, &rng, 0).expect("a key");
        for &algorithm in Algorithm::ALL {
            let (one, again) = (key(algorithm, "1"), key(algorithm, "1"));
            assert_eq!((&one.kid, &one.public_jwk), (&again.kid, &again.public_jwk));
            assert!(one.kid.starts_with("mock-"), "{}", one.kid);
            let other = key(algorithm, "2");
            let is_rsa = matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256);
            assert_eq!(one.public_jwk == other.public_jwk, is_rsa);
            assert!(super::super::Key::open(&one, &sealer).is_ok());
        }
    }
}
