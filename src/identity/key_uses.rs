//! Last uses of API keys in memory, until a job writes them down.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::support::{Id, Seconds};

/// A use that was not written down yet: when, and from where if that is known.
pub type KeyUse = (Id, Seconds, Option<IpAddr>);

/// Keys whose last use can wait to be written down; a use of one more is forgotten.
const MOST: usize = 100_000;

/// When and from where API keys were last used, until a job writes it down: it is for people to read, and not worth a
/// write for every use. A crash loses what was not written yet.
#[derive(Debug, Default)]
pub struct KeyUses {
    waiting: Mutex<HashMap<Id, (Seconds, Option<IpAddr>)>>,
}

impl KeyUses {
    pub fn note(&self, id: Id, at: Seconds, address: Option<IpAddr>) {
        let mut waiting = self.lock();
        if waiting.len() < MOST || waiting.contains_key(&id) {
            waiting.insert(id, (at, address));
        }
    }

    /// Hands over what waits.
    pub fn take(&self) -> Vec<KeyUse> {
        std::mem::take(&mut *self.lock()).into_iter().map(|(id, (at, address))| (id, at, address)).collect()
    }

    /// Takes back what could not be written, unless there is something newer.
    pub fn put_back(&self, uses: Vec<KeyUse>) {
        let mut waiting = self.lock();
        for (id, at, address) in uses {
            if waiting.len() < MOST {
                waiting.entry(id).or_insert((at, address));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, (Seconds, Option<IpAddr>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_use_is_the_one_that_is_kept() {
        let (uses, id) = (KeyUses::default(), Id::from_bytes([1; 16]));
        uses.note(id, 1, None);
        let taken = uses.take();
        uses.note(id, 2, Some([10, 0, 0, 1].into()));
        uses.put_back(taken);
        assert_eq!(uses.take(), [(id, 2, Some([10, 0, 0, 1].into()))]);
        assert_eq!(uses.take(), []);
    }
}
