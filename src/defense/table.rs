//! The memory of all rate limits of a node: a table of fixed size with a lock for each bucket.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;

/// Keys that share a lock.
const WAYS: usize = 8;
/// Locks, a power of two; together 131,072 keys in 2 MiB.
const BUCKETS: usize = 16_384;

/// What all limiters of a node remember of their keys, in memory of a fixed size and without a lock that all share.
///
/// Each key may stand in one bucket of eight. Where these are taken, the one that has recovered the most makes room: who
/// floods the table with new keys pushes out those, and not whoever is being slowed down. A key is remembered as a hash
/// under a secret of this process, so that nobody chooses whose bucket it falls into.
#[derive(Clone)]
pub(super) struct Table {
    buckets: Arc<[Mutex<[Slot; WAYS]>]>,
    hasher: RandomState,
}

/// A key's hash and when, by GCRA, its next request was due; both 0 where nobody is.
#[derive(Clone, Copy, Default)]
struct Slot {
    key: u64,
    due: u64,
}

impl Table {
    pub fn new() -> Self {
        Self::with_buckets(BUCKETS)
    }

    fn with_buckets(buckets: usize) -> Self {
        let buckets = (0..buckets).map(|_| Mutex::default()).collect();
        Self { buckets, hasher: RandomState::new() }
    }

    /// A key of one limiter.
    pub fn key(&self, limiter: u16, key: impl Hash) -> u64 {
        self.hasher.hash_one((limiter, key)).max(1)
    }
}

impl StateStore for Table {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let at = usize::try_from(key % self.buckets.len() as u64).unwrap_or(0);
        let mut bucket = self.buckets[at].lock().unwrap_or_else(PoisonError::into_inner);
        let known = bucket.iter().position(|slot| slot.key == *key);
        let (answer, due) = decide(known.map(|slot| Nanos::new(bucket[slot].due)))?;
        let slot = known.unwrap_or_else(|| most_recovered(&bucket));
        bucket[slot] = Slot { key: *key, due: due.as_u64() };
        Ok(answer)
    }
}

fn most_recovered(bucket: &[Slot; WAYS]) -> usize {
    let by_due = bucket.iter().enumerate().min_by_key(|(_, slot)| slot.due);
    by_due.map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(table: &Table, key: u64, due: u64) {
        let put: Result<(), ()> = table.measure_and_replace(&key, |_| Ok(((), Nanos::new(due))));
        put.expect("put");
    }

    fn due(table: &Table, key: u64) -> Option<u64> {
        let seen = table.measure_and_replace(&key, |due| Err::<((), Nanos), _>(due.map(Nanos::as_u64)));
        seen.expect_err("only looked at")
    }

    #[test]
    fn a_flood_of_keys_pushes_out_its_own() {
        let table = Table::with_buckets(4);
        let slowed = 5;
        put(&table, slowed, 1_000_000);
        for key in 10..10_000 {
            put(&table, key, 1_000 + key);
        }
        assert_eq!(due(&table, slowed), Some(1_000_000));
        let kept = (10..10_000).filter(|key| due(&table, *key).is_some()).count();
        assert_eq!(kept, 4 * WAYS - 1, "as many as there is room for");
    }

    #[test]
    fn two_limiters_have_two_keys() {
        let table = Table::with_buckets(4);
        assert_ne!(table.key(1, "a"), table.key(2, "a"));
        assert_eq!(table.key(1, "a"), table.key(1, "a"));
    }
}
