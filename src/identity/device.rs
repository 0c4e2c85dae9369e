//! Known devices: which people have logged in in a browser before, in a sealed cookie.

use crate::support::{Id, Rng, Seconds, sha256};

/// How many people one browser is remembered for, those of late.
const MAX_PEOPLE: usize = 5;
const ID: usize = 16;
const PERSON: usize = 24;

/// A browser, and who has logged in in it before. What it tells goes into a cookie that only we can write.
///
/// Failed logins from such a browser are counted for that browser alone, so that nobody who guesses elsewhere keeps its
/// people out, and whoever steals the cookie wins a handful of guesses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    id: [u8; ID],
    /// The one of late last.
    people: Vec<(Id, Seconds)>,
}

impl Device {
    /// One that nobody has used yet.
    pub fn new(rng: &Rng) -> Self {
        Self { id: rng.bytes(), people: Vec::new() }
    }

    /// What [`Device::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, people) = bytes.split_first_chunk::<ID>()?;
        if people.len() % PERSON != 0 || people.len() > MAX_PEOPLE * PERSON {
            return None;
        }
        let person = |bytes: &[u8]| {
            let (id, until) = bytes.split_first_chunk::<ID>()?;
            Some((Id::from_bytes(*id), Seconds::from_be_bytes(until.try_into().ok()?)))
        };
        let people = people.chunks(PERSON).map(person).collect::<Option<Vec<_>>>()?;
        Some(Self { id: *id, people })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.to_vec();
        for (id, until) in &self.people {
            bytes.extend_from_slice(id.as_bytes());
            bytes.extend_from_slice(&until.to_be_bytes());
        }
        bytes
    }

    /// Notes that a person has logged in.
    #[must_use]
    pub fn with(mut self, user_id: Id, until: Seconds, now: Seconds) -> Self {
        self.people.retain(|(id, until)| *id != user_id && *until > now);
        if self.people.len() >= MAX_PEOPLE {
            self.people.remove(0);
        }
        self.people.push((user_id, until));
        self
    }

    /// What a person's failed logins here are counted under, if they have logged in here before.
    pub(super) fn counter(&self, user_id: Id, now: Seconds) -> Option<String> {
        let known = self.people.iter().any(|(id, until)| *id == user_id && *until > now);
        known.then(|| {
            let hash = sha256(&[&self.id[..], user_id.as_bytes()].concat());
            hash[..16].iter().map(|b| format!("{b:02x}")).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(n: u8) -> Id {
        Id::from_bytes([n; 16])
    }

    #[test]
    fn it_knows_who_was_here_of_late() {
        let mut device = Device::new(&Rng::system());
        for n in 1..=7 {
            device = device.with(person(n), 100 + Seconds::from(n), 0);
        }
        let read = Device::from_bytes(&device.to_bytes()).expect("what was written");
        assert_eq!(read, device);
        let knows = |n: u8, now| read.counter(person(n), now).is_some();
        assert_eq!(
            (1..=8).map(|n| knows(n, 0)).collect::<Vec<_>>(),
            [false, false, true, true, true, true, true, false]
        );
        assert!(!knows(3, 103) && knows(4, 103), "each for its time");
        assert_ne!(read.counter(person(3), 0), read.counter(person(4), 0));
    }

    #[test]
    fn what_is_cut_or_too_long_is_none() {
        let device = Device::new(&Rng::system()).with(person(1), 100, 0);
        let bytes = device.to_bytes();
        for cut in [0, 1, ID - 1, ID + 1, bytes.len() - 1] {
            assert_eq!(Device::from_bytes(&bytes[..cut]), None, "{cut}");
        }
        assert_eq!(Device::from_bytes(&[0; ID + 6 * PERSON]), None);
    }
}
