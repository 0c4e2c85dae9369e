//! A map of bounded size that drops what was not asked for recently.

use std::collections::HashMap;
use std::hash::Hash;

/// A map of bounded size that forgets what was not asked for of late.
///
/// Two generations: what is asked for is in the young one. When that is full it becomes the old one, and the old one goes.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    /// At most `capacity` entries, and at least half of it of those used last.
    pub fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (capacity / 2).max(1) }
    }

    /// The value of a key, made if there is none.
    pub fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if !self.young.contains_key(&key) {
            let value = self.old.remove(&key).unwrap_or_else(make);
            self.make_room();
            return self.young.entry(key).or_insert(value);
        }
        self.young.entry(key).or_insert_with(make)
    }

    /// The value of a key, if there is one.
    #[cfg(test)]
    pub fn get(&mut self, key: &K) -> Option<&mut V> {
        // Asking keeps nothing: whoever is only asked for may go.
        self.young.get_mut(key).or_else(|| self.old.get_mut(key))
    }

    fn make_room(&mut self) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.young.iter().chain(&self.old)
    }

    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_what_nobody_asks_for() {
        let mut recent = Recent::new(100);
        for n in 0..10_000 {
            *recent.entry(n, || 0) += 1;
            *recent.entry(1_000_000, || 0) += 1;
            assert!(recent.len() <= 100, "{}", recent.len());
        }
        assert_eq!(recent.get(&1_000_000).copied(), Some(10_000), "asked for all the time");
        assert_eq!(recent.get(&1), None);
        assert!((9_951..10_000).all(|n| recent.get(&n).is_some()), "half of the room is for those of late");
    }
}
