//! Counters over a sliding window: how many, and about how many different ones.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::support::Seconds;

/// Parts into which a window is cut: what happened leaves it a part at a time.
const PARTS: usize = 6;

/// How many there were in the last so many seconds.
#[derive(Debug, Clone)]
pub(super) struct Sliding {
    parts: [u32; PARTS],
    part_seconds: Seconds,
    /// The part of time that the newest count belongs to.
    newest: Seconds,
}

impl Sliding {
    pub fn new(window: Seconds) -> Self {
        let parts = Seconds::try_from(PARTS).unwrap_or(1);
        Self { parts: [0; PARTS], part_seconds: (window / parts).max(1), newest: 0 }
    }

    pub fn add(&mut self, at: Seconds) {
        self.move_to(at);
        let slot = Self::slot(self.newest);
        self.parts[slot] = self.parts[slot].saturating_add(1);
    }

    pub fn sum(&mut self, at: Seconds) -> u64 {
        self.move_to(at);
        self.parts.iter().map(|n| u64::from(*n)).sum()
    }

    /// What is late counts as of now: clocks differ a little.
    fn move_to(&mut self, at: Seconds) {
        let now = at.div_euclid(self.part_seconds).max(self.newest);
        let passed = usize::try_from(now - self.newest).unwrap_or(PARTS).min(PARTS);
        for step in 0..passed {
            let step = Seconds::try_from(step).unwrap_or(0);
            self.parts[Self::slot(now - step)] = 0;
        }
        self.newest = now;
    }

    fn slot(part: Seconds) -> usize {
        usize::try_from(part.rem_euclid(Seconds::try_from(PARTS).unwrap_or(1))).unwrap_or(0)
    }
}

/// About how many different ones there were in the last so many seconds: linear counting over a bitmap of `W` words for
/// each half of the window. Right within a few percent up to some 200 a word.
#[derive(Debug, Clone)]
pub(super) struct Distinct<const W: usize> {
    current: [u64; W],
    previous: [u64; W],
    half_seconds: Seconds,
    newest: Seconds,
}

impl<const W: usize> Distinct<W> {
    pub fn new(window: Seconds) -> Self {
        Self { current: [0; W], previous: [0; W], half_seconds: (window / 2).max(1), newest: 0 }
    }

    pub fn add(&mut self, at: Seconds, hash: u64) {
        self.move_to(at);
        let bit = usize::try_from(hash % (W as u64 * 64)).unwrap_or(0);
        self.current[bit / 64] |= 1 << (bit % 64);
    }

    pub fn count(&mut self, at: Seconds) -> u64 {
        self.move_to(at);
        let bits = W as f64 * 64.0;
        let set: u32 = self.current.iter().zip(&self.previous).map(|(a, b)| (a | b).count_ones()).sum();
        let free = (bits - f64::from(set)).max(1.0);
        (bits * (bits / free).ln()).round() as u64
    }

    fn move_to(&mut self, at: Seconds) {
        let now = at.div_euclid(self.half_seconds).max(self.newest);
        match now - self.newest {
            0 => return,
            1 => self.previous = self.current,
            _ => self.previous = [0; W],
        }
        self.current = [0; W];
        self.newest = now;
    }
}

/// A hash that is the same in every process: what is counted need not be guarded, and a replay counts the same.
pub(super) fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_leaves_the_window() {
        let mut window = Sliding::new(60);
        for at in 1_000..1_060 {
            window.add(at);
        }
        assert_eq!(window.sum(1_059), 60);
        assert_eq!(window.sum(1_089), 30);
        assert_eq!(window.sum(1_119), 0);
        window.add(1_119);
        window.add(1_000);
        assert_eq!(window.sum(1_119), 2, "what is late counts as of now");
        assert_eq!(window.sum(1_000_000_000), 0);
    }

    #[test]
    fn about_how_many_different_ones() {
        let mut few = Distinct::<16>::new(60);
        let mut many = Distinct::<128>::new(60);
        for n in 0..20_000_u64 {
            few.add(1_000, hash(n % 15));
            many.add(1_000, hash(n));
        }
        assert!((14..=16).contains(&few.count(1_000)), "{}", few.count(1_000));
        assert!((19_000..=21_000).contains(&many.count(1_000)), "{}", many.count(1_000));
        assert!(few.count(1_031) > 0, "the half before counts too");
        assert_eq!(few.count(1_100), 0);
    }
}
