//! JSON objects from strangers, read strictly.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object, each of them once; its values are read when they are asked for.
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// No JSON, no object, a member twice, or one that is not of the type that it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// More make no token and no document that this module reads.
const MAX_MEMBERS: usize = 100;

impl<'a> Object<'a> {
    pub fn parse(json: &'a [u8]) -> Result<Self, Malformed> {
        serde_json::from_slice(json).map_err(|_| Malformed)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| name.as_ref())
    }

    pub fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// A member that must be there.
    pub fn required<T: Deserialize<'a>>(&self, name: &str) -> Result<T, Malformed> {
        self.optional(name)?.ok_or(Malformed)
    }

    /// A member that may be missing. One that is there and of another type, `null` included, is not missing.
    pub fn optional<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, Malformed> {
        match self.members.iter().find(|(known, _)| known == name) {
            Some((_, value)) => serde_json::from_str(value.get()).map(Some).map_err(|_| Malformed),
            None => Ok(None),
        }
    }
}

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object without a member twice")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut object = Object { members: Vec::with_capacity(16) };
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    if object.has(&name) || object.members.len() == MAX_MEMBERS {
                        return Err(serde::de::Error::custom("a member twice, or too many"));
                    }
                    object.members.push((name, value));
                }
                Ok(object)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// `aud`: one name, or several (RFC 7519 §4.1.3).
#[derive(serde::Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Vec<String> {
    fn from(some: OneOrMany) -> Self {
        match some {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_member_twice_is_refused_however_it_is_written() {
        for twice in [r#"{"a":1,"a":1}"#, r#"{"a":1,"b":2,"\u0061":1}"#] {
            assert_eq!(Object::parse(twice.as_bytes()).err(), Some(Malformed), "{twice}");
        }
        assert!(Object::parse(br#"{"a":1,"b":{"a":1}}"#).is_ok());
    }

    #[test]
    fn what_has_another_type_is_not_missing() {
        let object = Object::parse(br#"{"exp":"9","nbf":null,"iat":1.5,"big":1e400,"neg":-1}"#).expect("an object");
        for name in ["exp", "nbf", "iat", "big"] {
            assert_eq!(object.optional::<i64>(name), Err(Malformed), "{name}");
        }
        assert_eq!(object.optional::<i64>("neg"), Ok(Some(-1)));
        assert_eq!(object.optional::<i64>("none"), Ok(None));
        assert_eq!(object.required::<i64>("none"), Err(Malformed));
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let object = Object::parse(deep.as_bytes());
        assert!(object.is_err() || object.is_ok_and(|object| object.optional::<Vec<String>>("a").is_err()));
        let many: Vec<String> = (0..=MAX_MEMBERS).map(|n| format!("\"{n}\":0")).collect();
        assert!(Object::parse(format!("{{{}}}", many.join(",")).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Object::parse(&bytes);
        }
    }
}
