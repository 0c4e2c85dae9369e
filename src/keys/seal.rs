//! Encrypts what must be readable again, with AES-256-GCM under the server's encryption key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::support::{Rng, hex};

/// Encrypts what must be readable again, under one key of 256 bits (AES-256-GCM).
pub struct Sealer {
    key: LessSafeKey,
    /// The one before, which still opens what it sealed.
    previous: Option<LessSafeKey>,
    /// Of today and, if there is one, of before: for what is found by a hash that only we can make.
    marks: Vec<hmac::Key>,
}

/// An opened secret; wiped when dropped.
pub type Unsealed = Zeroizing<Vec<u8>>;

impl Sealer {
    /// `None` can only come of a key of the wrong length, which the type excludes.
    pub fn new(key: &[u8; 32]) -> Option<Self> {
        Some(Self { key: less_safe(key)?, previous: None, marks: vec![mark_key(key)] })
    }

    /// Opens also what was sealed with the key before this one.
    pub fn with_previous(mut self, key: &[u8; 32]) -> Option<Self> {
        self.previous = Some(less_safe(key)?);
        self.marks.push(mark_key(key));
        Some(self)
    }

    /// Seals for one context: it opens under the same context alone.
    pub fn seal(&self, rng: &Rng, context: &str, plain: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = rng.bytes();
        let mut body = plain.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context.as_bytes()), &mut body)
            .ok()?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut body);
        Some(sealed)
    }

    /// Opens what [`Sealer::seal`] made; `None` if the key or the context is another, or it was changed.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Option<Unsealed> {
        let previous = || self.previous.as_ref().and_then(|key| open(key, context, sealed));
        open(&self.key, context, sealed).or_else(previous)
    }

    /// A hash (HMAC-SHA256) by which a short secret is found again, and from which nobody without the key can guess it. The
    /// first is that of today's key, by which it is stored; the one before it may have been stored by follows.
    pub fn marks(&self, context: &str, secret: &[u8]) -> Vec<Vec<u8>> {
        let input = Zeroizing::new([context.as_bytes(), &[0], secret].concat());
        self.marks.iter().map(|key| hmac::sign(key, &input).as_ref().to_vec()).collect()
    }

    /// What the keys are called where they must not be shown: today's first, then the one before.
    pub fn fingerprints(&self) -> Vec<String> {
        self.marks
            .iter()
            .map(|key| hex(&hmac::sign(key, b"latchway encryption key fingerprint v1").as_ref()[..8]))
            .collect()
    }

    /// Whether something was sealed with the key of today.
    pub fn is_current(&self, context: &str, sealed: &[u8]) -> bool {
        open(&self.key, context, sealed).is_some()
    }
}

fn less_safe(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

/// A key of its own for each use.
fn mark_key(key: &[u8; 32]) -> hmac::Key {
    let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"latchway marks v1");
    hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
}

fn open(key: &LessSafeKey, context: &str, sealed: &[u8]) -> Option<Unsealed> {
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut body = Zeroizing::new(body.to_vec());
    let length = key.open_in_place(nonce, Aad::from(context.as_bytes()), &mut body).ok()?.len();
    body.truncate(length);
    Some(body)
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_needs_the_key_and_the_context() {
        let sealer = |key: u8| Sealer::new(&[key; 32]).expect("32 bytes");
        let marks = sealer(1).marks("a", b"code");
        assert_eq!(marks, sealer(1).marks("a", b"code"));
        assert_ne!(marks, sealer(2).marks("a", b"code"));
        assert_ne!(marks, sealer(1).marks("b", b"code"));
        let changed = sealer(2).with_previous(&[1; 32]).expect("32 bytes").marks("a", b"code");
        assert_eq!(changed, [sealer(2).marks("a", b"code"), marks].concat(), "today's first, then the one before");
    }

    #[test]
    fn opens_under_its_own_key_and_context_alone() {
        let rng = Rng::system();
        let sealer = Sealer::new(&[7; 32]).expect("a key");
        let mut sealed = sealer.seal(&rng, "a", b"secret").expect("sealed");
        assert_eq!(sealer.open("a", &sealed).expect("opens").as_slice(), b"secret");
        assert!(sealer.open("b", &sealed).is_none());
        assert!(Sealer::new(&[8; 32]).expect("a key").open("a", &sealed).is_none());
        sealed[20] ^= 1;
        assert!(sealer.open("a", &sealed).is_none());
        assert!(sealer.open("a", b"short").is_none());
    }

    #[test]
    fn what_the_key_before_sealed_still_opens() {
        let rng = Rng::system();
        let old = Sealer::new(&[7; 32]).expect("a key");
        let sealed = old.seal(&rng, "a", b"secret").expect("sealed");
        let new = Sealer::new(&[8; 32]).and_then(|sealer| sealer.with_previous(&[7; 32])).expect("keys");
        assert_eq!(new.open("a", &sealed).expect("opens").as_slice(), b"secret");
        assert!(!new.is_current("a", &sealed));
        let sealed = new.seal(&rng, "a", b"secret").expect("sealed");
        assert!(new.is_current("a", &sealed) && old.open("a", &sealed).is_none());
    }
}
