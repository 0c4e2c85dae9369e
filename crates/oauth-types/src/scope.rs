//! Scopes, and what they mean in words.

use std::collections::BTreeSet;
use std::fmt;

/// What a scope means, in words for the person who is asked to allow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeText {
    pub name: String,
    pub title: String,
    pub description: String,
    /// Whether the consent page warns of it.
    pub sensitive: bool,
}

/// More scopes than this in one request are refused: nobody needs them, and every one costs.
const MAX_SCOPES: usize = 100;
const MAX_BYTES: usize = 4096;

/// A set of scope tokens (RFC 6749 §3.3), without order or repetition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<String>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    #[error("scope has a character that RFC 6749 section 3.3 does not allow")]
    Character,
    #[error("scope names more than {MAX_SCOPES} scopes or is longer than {MAX_BYTES} bytes")]
    TooMany,
}

impl Scopes {
    /// Reads a space-separated list.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        if text.len() > MAX_BYTES {
            return Err(InvalidScope::TooMany);
        }
        // RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
        if !text.bytes().all(|b| b == b' ' || (0x21..=0x7e).contains(&b) && b != b'"' && b != b'\\') {
            return Err(InvalidScope::Character);
        }
        let set: BTreeSet<String> = text.split(' ').filter(|token| !token.is_empty()).map(str::to_owned).collect();
        if set.len() > MAX_SCOPES { Err(InvalidScope::TooMany) } else { Ok(Self(set)) }
    }

    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    pub fn without(&self, scope: &str) -> Self {
        Self(self.0.iter().filter(|s| *s != scope).cloned().collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, scope) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

impl<S: Into<String>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        Self(scopes.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn repetition_and_blanks_do_not_count() {
        let scopes = Scopes::parse("b  a b").expect("valid");
        assert_eq!(scopes.to_string(), "a b");
    }

    #[test]
    fn forbidden_characters_and_floods_are_refused() {
        assert_eq!(Scopes::parse("a\"b"), Err(InvalidScope::Character));
        assert_eq!(Scopes::parse("a\\b"), Err(InvalidScope::Character));
        assert_eq!(Scopes::parse("ä"), Err(InvalidScope::Character));
        assert_eq!(Scopes::parse("a\tb"), Err(InvalidScope::Character));
        let many: Vec<String> = (0..101).map(|n| format!("s{n}")).collect();
        assert_eq!(Scopes::parse(&many.join(" ")), Err(InvalidScope::TooMany));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_reads_again(text in ".{0,200}") {
            if let Ok(scopes) = Scopes::parse(&text) {
                prop_assert_eq!(Scopes::parse(&scopes.to_string()).expect("own text"), scopes);
            }
        }

        #[test]
        fn narrowing_never_widens(a in "[a-d ]{0,20}", b in "[a-d ]{0,20}") {
            let (a, b) = (Scopes::parse(&a).expect("valid"), Scopes::parse(&b).expect("valid"));
            prop_assert!(a.intersection(&b).is_subset(&a));
            prop_assert!(a.is_subset(&a.union(&b)));
        }
    }
}
