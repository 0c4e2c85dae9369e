//! The text of an API key.

use secrecy::SecretString;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::clock::Clock;
use crate::id::Id;
use crate::rng::Rng;
use crate::secret::{Digest, constant_time_eq, sha256};

/// An API key as a program holds it: `lw_`, the key's id, `_`, 256 random bits and a checksum, all in base62.
///
/// The form is fixed, so that secret scanners find a leaked one by a pattern, and the checksum tells a typo from a key
/// without a database. It is no protection: the secret is.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ApiKeyText {
    #[zeroize(skip)]
    id: Id,
    secret: [u8; 32],
}

/// The text is no API key: another form, or a checksum that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key that this server could have made")]
pub struct ApiKeyTextError;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_CHARS: usize = 22;
const SECRET_CHARS: usize = 43;
const SUM_CHARS: usize = 6;

impl ApiKeyText {
    /// What every API key begins with.
    pub const PREFIX: &'static str = "lw_";
    /// Characters of an API key.
    pub const LENGTH: usize = Self::PREFIX.len() + ID_CHARS + 1 + SECRET_CHARS + SUM_CHARS;

    /// A new key.
    pub fn new(clock: &Clock, rng: &Rng) -> Self {
        Self::renewed(Id::new(clock, rng), rng)
    }

    /// Another secret for a key that exists.
    pub fn renewed(id: Id, rng: &Rng) -> Self {
        Self { id, secret: rng.bytes() }
    }

    /// Where its row is.
    pub fn id(&self) -> Id {
        self.id
    }

    /// What its row holds of the secret.
    pub fn digest(&self) -> Digest {
        sha256(&self.secret)
    }

    /// Whether this is the key whose digest was stored.
    pub fn matches(&self, stored: &[u8]) -> bool {
        constant_time_eq(&self.digest(), stored)
    }

    /// The key as its program holds it. Never for a log.
    pub fn expose(&self) -> SecretString {
        let mut text = String::with_capacity(Self::LENGTH);
        text.push_str(Self::PREFIX);
        encode(self.id.as_bytes(), ID_CHARS, &mut text);
        text.push('_');
        encode(&self.secret, SECRET_CHARS, &mut text);
        let sum = crc32fast::hash(text.as_bytes());
        encode(&sum.to_be_bytes(), SUM_CHARS, &mut text);
        SecretString::from(text)
    }

    /// Reads what a program presents; exactly one spelling is accepted.
    pub fn parse(text: &str) -> Result<Self, ApiKeyTextError> {
        if text.len() != Self::LENGTH || !text.is_ascii() {
            return Err(ApiKeyTextError);
        }
        let (keyed, sum) = text.split_at(Self::LENGTH - SUM_CHARS);
        let sum: [u8; 4] = decode(sum)?;
        if u32::from_be_bytes(sum) != crc32fast::hash(keyed.as_bytes()) {
            return Err(ApiKeyTextError);
        }
        let (id, secret) = keyed
            .strip_prefix(Self::PREFIX)
            .and_then(|rest| rest.split_at_checked(ID_CHARS))
            .and_then(|(id, rest)| Some((id, rest.strip_prefix('_')?)))
            .ok_or(ApiKeyTextError)?;
        Ok(Self { id: Id::from_bytes(decode(id)?), secret: decode(secret)? })
    }
}

/// A number of so many bytes in so many digits, the most significant first.
fn encode(bytes: &[u8], chars: usize, text: &mut String) {
    let mut number = bytes.to_vec();
    let mut digits = vec![b'0'; chars];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0;
        for byte in &mut number {
            let value = rest << 8 | u32::from(*byte);
            (*byte, rest) = ((value / 62) as u8, value % 62);
        }
        *digit = ALPHABET[rest as usize];
    }
    number.zeroize();
    text.extend(digits.iter().map(|&digit| char::from(digit)));
    digits.zeroize();
}

/// The number that digits stand for, if it has so few bytes.
fn decode<const N: usize>(digits: &str) -> Result<[u8; N], ApiKeyTextError> {
    let mut number = [0; N];
    for digit in digits.bytes() {
        let mut carry = match digit {
            b'0'..=b'9' => u32::from(digit - b'0'),
            b'A'..=b'Z' => u32::from(digit - b'A') + 10,
            b'a'..=b'z' => u32::from(digit - b'a') + 36,
            _ => return Err(ApiKeyTextError),
        };
        for byte in number.iter_mut().rev() {
            let value = u32::from(*byte) * 62 + carry;
            (*byte, carry) = ((value & 0xff) as u8, value >> 8);
        }
        if carry > 0 {
            return Err(ApiKeyTextError);
        }
    }
    Ok(number)
}

impl std::fmt::Debug for ApiKeyText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKeyText({}, [redacted])", self.id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use secrecy::ExposeSecret;

    use super::*;
    // proptest has one as well.
    use crate::rng::Rng;

    fn key() -> ApiKeyText {
        ApiKeyText::new(&Clock::system(), &Rng::system())
    }

    #[test]
    fn it_looks_as_the_manual_says() {
        let text = key().expose();
        let text = text.expose_secret();
        let (id, secret) = text.strip_prefix("lw_").and_then(|rest| rest.split_once('_')).expect("two parts");
        assert_eq!((text.len(), id.len(), secret.len()), (75, 22, 49));
        assert!(id.bytes().chain(secret.bytes()).all(|b| b.is_ascii_alphanumeric()));
    }

    #[test]
    fn every_single_typo_is_noticed() {
        let text = key().expose();
        let text = text.expose_secret();
        for place in 0..text.len() {
            for digit in ALPHABET.iter().chain(b"_-. ") {
                let mut typo = text.as_bytes().to_vec();
                if typo[place] == *digit {
                    continue;
                }
                typo[place] = *digit;
                assert!(ApiKeyText::parse(&String::from_utf8(typo).expect("ASCII")).is_err(), "at {place}");
            }
            let swapped = text.as_bytes().iter().enumerate().map(|(at, _)| match at {
                _ if at == place => text.as_bytes()[(place + 1) % text.len()],
                _ if at == (place + 1) % text.len() => text.as_bytes()[place],
                _ => text.as_bytes()[at],
            });
            let swapped = String::from_utf8(swapped.collect()).expect("ASCII");
            assert!(swapped == text || ApiKeyText::parse(&swapped).is_err(), "swapped at {place}");
            assert!(ApiKeyText::parse(&text[..place]).is_err(), "cut at {place}");
        }
        assert!(ApiKeyText::parse(&format!("{text}0")).is_err());
    }

    #[test]
    fn what_is_too_large_for_its_bytes_is_refused() {
        assert_eq!(decode::<1>("47"), Ok([255]));
        assert_eq!(decode::<1>("48"), Err(ApiKeyTextError));
        assert!(decode::<16>(&"z".repeat(22)).is_err());
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let key = key();
        let secret = key.expose();
        assert!(!format!("{key:?}").contains(&secret.expose_secret()[26..]));
    }

    proptest! {
        #[test]
        fn the_text_leads_back(id in any::<[u8; 16]>(), secret in any::<[u8; 32]>()) {
            let key = ApiKeyText { id: Id::from_bytes(id), secret };
            let read = ApiKeyText::parse(key.expose().expose_secret()).expect("own text");
            prop_assert_eq!((read.id, read.secret), (key.id, key.secret));
            prop_assert!(read.matches(&key.digest()));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,90}") {
            prop_assert!(ApiKeyText::parse(&text).is_err());
        }
    }
}
