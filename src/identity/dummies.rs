//! Which work a login costs for a name that has no account.
//!
//! Each stored hash keeps the parameters under which it was made, until its person logs in again. If all unknown names cost
//! what a new hash costs, the time of an answer would tell the accounts that were made under other parameters. So an unknown
//! name gets parameters that are in use, in their proportion, and always the same ones: a hash of the name under a secret
//! key chooses.

use std::sync::{PoisonError, RwLock};

use argon2::Params;
use argon2::password_hash::phc::PasswordHash;
use aws_lc_rs::hmac;

/// A salt and a hash that no password has.
const TAIL: &str = "$bGF0Y2h3YXktZHVtbXk$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Parameters in the form in which a stored hash begins: `$argon2id$v=19$m=19456,t=2,p=1`.
pub type Parameters = String;

pub(super) struct Dummies {
    key: hmac::Key,
    /// Those of a new hash.
    current: Parameters,
    /// Those of stored hashes and how many have them; the current ones last.
    in_use: RwLock<Vec<(Parameters, u64)>>,
}

impl Dummies {
    pub fn new(key: &[u8], current: Parameters) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), current, in_use: RwLock::default() }
    }

    /// Takes up which parameters stored hashes have. What is no hash that could be computed is left out.
    pub fn set_in_use(&self, counted: impl IntoIterator<Item = (Parameters, u64)>) {
        let mut counted: Vec<_> = counted.into_iter().filter(|(text, n)| *n > 0 && is_computable(text)).collect();
        // As people log in, hashes move to the current parameters. With these last an unknown name moves to them too, once,
        // and never back.
        counted.sort_by_key(|(text, _)| (*text == self.current, text.clone()));
        *self.in_use.write().unwrap_or_else(PoisonError::into_inner) = counted;
    }

    /// A stored hash was replaced by another.
    pub fn moved(&self, from: &str, to: &str) {
        let mut counted = self.in_use.read().unwrap_or_else(PoisonError::into_inner).clone();
        for (stored, change) in [(from, -1), (to, 1)] {
            let Some(text) = parameters_of(stored) else { continue };
            match counted.iter_mut().find(|(known, _)| known == text) {
                Some((_, n)) => *n = n.saturating_add_signed(change),
                None if change > 0 => counted.push((text.to_owned(), 1)),
                None => {}
            }
        }
        self.set_in_use(counted);
    }

    /// The parameters that an account of this name would have.
    pub fn parameters_for(&self, name: &str) -> Parameters {
        let in_use = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
        let total: u64 = in_use.iter().map(|(_, n)| n).sum();
        let tag = hmac::sign(&self.key, name.as_bytes());
        let number = tag.as_ref().first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        // A number below the total, each as likely as the others to within 2^-64 of it.
        let scaled = u64::try_from((u128::from(number) * u128::from(total)) >> 64).unwrap_or(0);
        let mut before = 0;
        for (text, n) in in_use.iter() {
            before += n;
            if scaled < before {
                return text.clone();
            }
        }
        self.current.clone()
    }

    /// A hash with these parameters that no password has.
    pub fn hash_with(parameters: &str) -> String {
        format!("{parameters}{TAIL}")
    }
}

/// The part of a stored hash that says how it was made.
pub(super) fn parameters_of(stored: &str) -> Option<&str> {
    stored.rsplitn(3, '$').nth(2)
}

fn is_computable(parameters: &str) -> bool {
    let dummy = Dummies::hash_with(parameters);
    PasswordHash::new(&dummy).is_ok_and(|hash| Params::try_from(&hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "$argon2id$v=19$m=64,t=1,p=1";
    const NEW: &str = "$argon2id$v=19$m=64,t=4,p=1";

    fn dummies(counted: &[(&str, u64)]) -> Dummies {
        let dummies = Dummies::new(b"key", NEW.to_owned());
        dummies.set_in_use(counted.iter().map(|(text, n)| ((*text).to_owned(), *n)));
        dummies
    }

    fn old_ones(dummies: &Dummies) -> Vec<usize> {
        (0..1000).filter(|n| dummies.parameters_for(&format!("name{n}")) == OLD).collect()
    }

    #[test]
    fn unknown_names_have_the_parameters_of_accounts_in_their_proportion() {
        assert_eq!(old_ones(&dummies(&[])).len(), 0, "without accounts those of a new hash");
        assert_eq!(old_ones(&dummies(&[(OLD, 3)])).len(), 1000);
        assert_eq!(old_ones(&dummies(&[(NEW, 3)])).len(), 0);
        let half = old_ones(&dummies(&[(NEW, 50), (OLD, 50)]));
        assert!((400..600).contains(&half.len()), "{}", half.len());
        let tenth = old_ones(&dummies(&[(NEW, 90), (OLD, 10)]));
        assert!((60..150).contains(&tenth.len()), "{}", tenth.len());
        assert!(tenth.iter().all(|name| half.contains(name)), "a name moves to the new parameters and not back");
        let other = Dummies::new(b"another key", NEW.to_owned());
        other.set_in_use([(OLD.to_owned(), 50), (NEW.to_owned(), 50)]);
        assert_ne!(old_ones(&other), half, "the key chooses");
    }

    #[test]
    fn what_is_rehashed_is_counted_anew() {
        let dummies = dummies(&[(OLD, 2)]);
        for _ in 0..2 {
            dummies.moved(&Dummies::hash_with(OLD), &Dummies::hash_with(NEW));
        }
        assert_eq!(old_ones(&dummies).len(), 0);
        assert_eq!(*dummies.in_use.read().expect("a lock"), [(NEW.to_owned(), 2)]);
    }

    #[test]
    fn what_cannot_be_computed_is_left_out() {
        let dummies = dummies(&[("$2b$10", 100), ("", 5), ("$argon2id$v=19$m=,t=1", 7), (OLD, 1)]);
        assert_eq!(old_ones(&dummies).len(), 1000);
    }
}
