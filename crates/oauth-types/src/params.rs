//! Form and query parameters.

use std::collections::{BTreeSet, HashSet};

/// Form or query parameters, read strictly: what is malformed is refused, what is repeated is known to be.
#[derive(Debug, Clone, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
    repeated: BTreeSet<String>,
}

/// Why parameters are not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedForm {
    /// A broken escape, no UTF-8, or a control character.
    #[error("the parameters are not valid application/x-www-form-urlencoded UTF-8 without control characters")]
    Encoding,
    #[error("there are more than {MAX_PARAMETERS} parameters")]
    TooMany,
}

/// More parameters in one form or query are refused. A thousand unknown ones mean nothing and are ignored, as OAuth 2.1 asks.
const MAX_PARAMETERS: usize = 1_024;

/// RFC 8707 §2: the one parameter that may be given several times.
const REPEATABLE: &str = "resource";

impl Params {
    /// Reads an encoded form. A parameter without a value counts as absent (RFC 6749 §3.1).
    pub fn parse(encoded: &[u8]) -> Result<Self, MalformedForm> {
        let (mut params, mut names) = (Self::default(), HashSet::new());
        for pair in encoded.split(|&b| b == b'&').filter(|pair| !pair.is_empty()) {
            if params.pairs.len() >= MAX_PARAMETERS {
                return Err(MalformedForm::TooMany);
            }
            let at = pair.iter().position(|&b| b == b'=');
            let (name, value) = at.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
            params.add(&mut names, decode(name)?, decode(value)?);
        }
        Ok(params)
    }

    /// Parameters that came in another form, such as JSON.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let (mut params, mut names) = (Self::default(), HashSet::new());
        pairs.into_iter().for_each(|(name, value)| params.add(&mut names, name.to_owned(), value));
        params
    }

    /// `names` has the names that came before, so that each costs one lookup and not a comparison with all of them.
    fn add(&mut self, names: &mut HashSet<String>, name: String, value: String) {
        // RFC 6749 §3.1: parameters MUST NOT be included more than once, not even as an empty one.
        if !names.insert(name.clone()) && name != REPEATABLE {
            self.repeated.insert(name.clone());
        }
        self.pairs.push((name, value));
    }

    /// The value of a parameter; `None` if it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may be repeated.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Whether a parameter has a value. One that was sent without any counts as omitted (RFC 6749 §3.1, §3.2).
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn is_repeated(&self, name: &str) -> bool {
        self.repeated.contains(name)
    }

    /// The first of these names that was given more than once.
    pub fn first_repeated<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.repeated.contains(*name))
    }

    /// The first name that is none of these.
    pub fn first_unknown(&self, known: &[&str]) -> Option<&str> {
        self.pairs.iter().map(|(name, _)| name.as_str()).find(|name| !known.contains(name))
    }

    /// The first parameter that has no value.
    pub fn first_empty(&self) -> Option<&str> {
        self.pairs.iter().find(|(_, value)| value.is_empty()).map(|(name, _)| name.as_str())
    }

    /// Whether no parameter has a value.
    pub fn is_empty(&self) -> bool {
        self.pairs.iter().all(|(_, value)| value.is_empty())
    }
}

fn decode(encoded: &[u8]) -> Result<String, MalformedForm> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next())? << 4 | hex(rest.next())?,
            other => other,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| MalformedForm::Encoding)?;
    if text.chars().any(char::is_control) { Err(MalformedForm::Encoding) } else { Ok(text) }
}

fn hex(digit: Option<&u8>) -> Result<u8, MalformedForm> {
    match digit {
        Some(d @ b'0'..=b'9') => Ok(d - b'0'),
        Some(d @ b'a'..=b'f') => Ok(d - b'a' + 10),
        Some(d @ b'A'..=b'F') => Ok(d - b'A' + 10),
        _ => Err(MalformedForm::Encoding),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn empty_is_absent_and_twice_is_known() {
        let params = Params::parse(b"a=1&b=&c&a=2&resource=x&resource=y").expect("valid");
        assert_eq!(params.get("a"), Some("1"));
        assert_eq!(params.get("b"), None);
        assert!(!params.has("c") && params.has("a"));
        assert_eq!(params.first_repeated(&["b", "a", "resource"]), Some("a"));
        assert_eq!(params.all("resource").collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn broken_escapes_and_control_characters_are_refused() {
        for bad in
            ["a=%", "a=%z1", "a=%0", "a=%00", "a=%0d%0aSet-Cookie:x", "a=%ed%a0%80", "a=%c0%af", "%ff=1", "a=\x7f"]
        {
            assert_eq!(Params::parse(bad.as_bytes()).err(), Some(MalformedForm::Encoding), "{bad}");
        }
    }

    /// Twice the bytes take twice the time and not four times it. What is refused beyond the bound is not even decoded.
    #[test]
    fn p08_reading_is_linear() {
        let form = |names: usize| (0..names).map(|n| format!("n{n}=1")).collect::<Vec<_>>().join("&").into_bytes();
        assert!(Params::parse(&form(MAX_PARAMETERS)).is_ok());
        assert_eq!(Params::parse(&form(MAX_PARAMETERS + 1)).err(), Some(MalformedForm::TooMany));
        let repeated = vec!["resource=x"; MAX_PARAMETERS + 1].join("&");
        assert_eq!(Params::parse(repeated.as_bytes()).err(), Some(MalformedForm::TooMany), "repeated or not");
        // The best of several runs, and several comparisons: other programs use the same processor, and a parser that takes
        // four times as long for twice as much does so each time.
        let cost = |form: &[u8]| {
            let run = || {
                let begin = std::time::Instant::now();
                for _ in 0..10 {
                    let _ = std::hint::black_box(Params::parse(form));
                }
                begin.elapsed()
            };
            (0..10).map(|_| run()).min().unwrap_or_default()
        };
        let is_linear = |one: &[u8], two: &[u8]| (0..20).any(|_| cost(two) < 3 * cost(one));
        assert!(is_linear(&form(MAX_PARAMETERS / 2), &form(MAX_PARAMETERS)), "within the bound");
        assert!(is_linear(&form(2_000), &form(4_000)), "beyond the bound");
        let value = |bytes: usize| [b"a=".as_slice(), &vec![b'x'; bytes]].concat();
        assert!(is_linear(&value(8_192), &value(16_384)), "one long value");
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Params::parse(&bytes);
        }

        #[test]
        fn what_is_encoded_is_read(name in "[a-z_]{1,10}", value in "[^\\p{Cc}]{1,40}") {
            let encoded: String = url::form_urlencoded::Serializer::new(String::new()).append_pair(&name, &value).finish();
            let params = Params::parse(encoded.as_bytes()).expect("valid");
            prop_assert_eq!(params.get(&name), Some(value.as_str()));
        }
    }
}
