//! Bearer credentials, their digests, and comparison in constant time.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::clock::Clock;
use crate::id::Id;
use crate::rng::Rng;

/// A SHA-256, as it is stored in place of a secret of 256 random bits.
pub type Digest = [u8; 32];

pub fn sha256(data: &[u8]) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// Compares without telling by its duration where the difference is.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// 256 random bits as base64url.
pub fn random_token(rng: &Rng) -> SecretString {
    let mut bytes: [u8; 32] = rng.bytes();
    let token = SecretString::from(URL_SAFE_NO_PAD.encode(bytes));
    bytes.zeroize();
    token
}

/// A bearer credential that leads to its row: the row's id and 256 random bits, of which only a hash is stored.
///
/// On the wire the id is masked with a hash of the secret, so that a stranger sees 64 characters without a prefix, a
/// time or an order in them; whoever holds the whole finds the row without an index over random keys.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Handle {
    #[zeroize(skip)]
    id: Id,
    secret: [u8; 32],
}

/// The text is no handle: wrong length or alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a credential that this server could have issued")]
pub struct HandleError;

const BYTES: usize = 48;
const CHARS: usize = 64;

impl Handle {
    pub fn new(clock: &Clock, rng: &Rng) -> Self {
        Self { id: Id::new(clock, rng), secret: rng.bytes() }
    }

    /// Another secret for the same row.
    #[must_use]
    pub fn renewed(&self, rng: &Rng) -> Self {
        Self { id: self.id, secret: rng.bytes() }
    }

    /// Where its row is.
    pub fn id(&self) -> Id {
        self.id
    }

    /// What its row holds of the secret.
    pub fn digest(&self) -> Digest {
        sha256(&self.secret)
    }

    /// Whether this is the handle whose digest was stored.
    pub fn matches(&self, stored: &[u8]) -> bool {
        constant_time_eq(&self.digest(), stored)
    }

    /// A key that only the bearer of this handle, and nobody with the database alone, can derive again.
    pub fn derived_key(&self, purpose: &str) -> zeroize::Zeroizing<[u8; 32]> {
        let mut input = zeroize::Zeroizing::new(Vec::with_capacity(purpose.len() + 1 + 32));
        input.extend_from_slice(purpose.as_bytes());
        input.push(0);
        input.extend_from_slice(&self.secret);
        zeroize::Zeroizing::new(sha256(&input))
    }

    /// The credential as its bearer holds it. Never for a log.
    pub fn expose(&self) -> String {
        let mut bytes = [0; BYTES];
        bytes[..16].copy_from_slice(&self.masked_id());
        bytes[16..].copy_from_slice(&self.secret);
        let text = URL_SAFE_NO_PAD.encode(bytes);
        bytes.zeroize();
        text
    }

    /// Reads what a bearer presents; exactly one spelling is accepted.
    pub fn parse(text: &str) -> Result<Self, HandleError> {
        if text.len() != CHARS {
            return Err(HandleError);
        }
        let mut bytes = [0; BYTES];
        let written = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).map_err(|_| HandleError)?;
        if written != BYTES {
            return Err(HandleError);
        }
        let (mut id, mut secret) = ([0; 16], [0; 32]);
        id.copy_from_slice(&bytes[..16]);
        secret.copy_from_slice(&bytes[16..]);
        bytes.zeroize();
        let mut handle = Self { id: Id::from_bytes(id), secret };
        handle.id = Id::from_bytes(handle.masked_id());
        Ok(handle)
    }

    /// The id under its mask, or, of a masked id, the id: the mask is its own inverse.
    fn masked_id(&self) -> [u8; 16] {
        let mut input = *b"latchway handle mask v1:________________________________";
        input[24..].copy_from_slice(&self.secret);
        let mask = sha256(&input);
        input.zeroize();
        let mut masked = *self.id.as_bytes();
        for (byte, mask) in masked.iter_mut().zip(mask) {
            *byte ^= mask;
        }
        masked
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({}, [redacted])", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle() -> Handle {
        Handle::new(&Clock::system(), &Rng::system())
    }

    #[test]
    fn the_text_leads_back_to_row_and_secret() {
        let handle = handle();
        let read = Handle::parse(&handle.expose()).expect("own text");
        assert_eq!(read.id(), handle.id());
        assert!(read.matches(&handle.digest()));
    }

    #[test]
    fn every_prefix_and_every_changed_character_leads_elsewhere() {
        let handle = handle();
        let text = handle.expose();
        for cut in 0..text.len() {
            assert!(Handle::parse(&text[..cut]).is_err());
        }
        for place in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ascii");
            let read = Handle::parse(&changed).expect("still 64 characters of the alphabet");
            assert!(read.id() != handle.id() || !read.matches(&handle.digest()));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let handle = handle();
        assert!(!format!("{handle:?}").contains(&handle.expose()[20..]));
    }

    #[test]
    fn handles_of_one_moment_share_no_prefix() {
        let (clock, rng) = (Clock::system(), Rng::system());
        let prefixes: std::collections::HashSet<String> =
            (0..1000).map(|_| Handle::new(&clock, &rng).expose()[..6].to_owned()).collect();
        assert!(prefixes.len() > 995, "only {} of 1000 prefixes differ", prefixes.len());
    }
}
