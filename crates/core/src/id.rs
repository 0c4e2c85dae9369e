//! Identifiers: UUIDv7.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::clock::{Clock, Seconds};
use crate::rng::Rng;

/// A UUIDv7 (RFC 9562 §5.7): ordered by the time of its making, so that an index over it grows at its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 16]);

impl Id {
    /// A fresh identifier for this moment.
    pub fn new(clock: &Clock, rng: &Rng) -> Self {
        let millis = u64::try_from(clock.now_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &rng.bytes()).into_uuid().into_bytes())
    }

    /// An identifier whose maker counts within a millisecond (RFC 9562 §6.2, method 1), so that what one maker makes is
    /// in order. `count` has 12 bits.
    pub fn counted(millis: i64, count: u16, rng: &Rng) -> Self {
        let millis = u64::try_from(millis).unwrap_or(0).to_be_bytes();
        let ([high, low], random) = ((count & 0x0fff).to_be_bytes(), rng.bytes::<8>());
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6..8].copy_from_slice(&[0x70 | high, low]);
        bytes[8..].copy_from_slice(&random);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self(bytes)
    }

    /// The moment of its making, in Unix milliseconds.
    pub fn millis(&self) -> i64 {
        self.0[..6].iter().fold(0, |millis, byte| (millis << 8) | i64::from(*byte))
    }

    /// The smallest identifier of a moment, in Unix milliseconds; for comparisons only.
    pub fn first_at(millis: i64) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&u64::try_from(millis).unwrap_or(0).to_be_bytes()[2..]);
        Self(bytes)
    }

    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// When it was made, in Unix seconds, if it is one of ours.
    pub fn made_at(&self) -> Seconds {
        let millis = self.0.iter().take(6).fold(0, |millis: i64, byte| millis << 8 | i64::from(*byte));
        millis / 1000
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(|uuid| Self(uuid.into_bytes()))
    }
}

impl TryFrom<Vec<u8>> for Id {
    type Error = Vec<u8>;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_id_sorts_behind() {
        let (clock, rng) = (Clock::system(), Rng::system());
        let earlier = Id::new(&clock, &rng);
        clock.advance(1);
        assert!(earlier < Id::new(&clock, &rng));
    }

    #[test]
    fn counted_ones_are_uuids_in_order() {
        let rng = Rng::system();
        let ids: Vec<Id> = [(7, 0), (7, 1), (7, 4095), (8, 0)].map(|(ms, n)| Id::counted(ms, n, &rng)).to_vec();
        assert!(ids.is_sorted() && ids.iter().all(|id| Id::first_at(7) < *id));
        assert_eq!(ids.iter().map(Id::millis).collect::<Vec<_>>(), [7, 7, 7, 8]);
        let uuid = Uuid::from_bytes(ids[2].0);
        assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122));
    }

    #[test]
    fn text_leads_back() {
        let id = Id::new(&Clock::system(), &Rng::system());
        assert_eq!(id.to_string().parse::<Id>().ok(), Some(id));
    }
}
