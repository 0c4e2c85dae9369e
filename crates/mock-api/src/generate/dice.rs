//! Chance that is the same again: everything that is made up follows from the seed and from what is asked.

use latchway_core::sha256;

/// SplitMix64. Not for secrets: nothing here is one.
#[derive(Debug, Clone)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Dice for one purpose, which the words name.
    pub fn new(seed: u64, words: &[&str]) -> Self {
        let mut text = seed.to_be_bytes().to_vec();
        for word in words {
            text.extend_from_slice(&u64::try_from(word.len()).unwrap_or_default().to_be_bytes());
            text.extend_from_slice(word.as_bytes());
        }
        let digest = sha256(&text);
        Self { state: digest.iter().take(8).fold(0, |state, byte| state << 8 | u64::from(*byte)) }
    }

    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below a bound; zero if there is none below it.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or_default()
    }

    /// From the one to the other, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        let span = i128::from(high) - i128::from(low) + 1;
        let offset = i128::from(self.next()) % span;
        i64::try_from(i128::from(low) + offset).unwrap_or(low)
    }

    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> Option<&'a T> {
        of.get(self.below(of.len())).copied()
    }

    /// So often out of a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub fn uuid(&mut self) -> uuid::Uuid {
        uuid::Builder::from_u128(u128::from(self.next()) << 64 | u128::from(self.next()))
            .with_version(uuid::Version::Random)
            .with_variant(uuid::Variant::RFC4122)
            .into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_purpose_give_the_same() {
        let row = |seed, words: &[&str]| {
            let mut dice = Dice::new(seed, words);
            (0..4).map(|_| dice.next()).collect::<Vec<_>>()
        };
        assert_eq!(row(1, &["a", "b"]), row(1, &["a", "b"]));
        for other in [row(2, &["a", "b"]), row(1, &["ab", ""]), row(1, &["a"])] {
            assert_ne!(row(1, &["a", "b"]), other);
        }
    }

    #[test]
    fn bounds_are_kept() {
        let mut dice = Dice::new(1, &[]);
        for _ in 0..1000 {
            assert!((-3..=3).contains(&dice.between(-3, 3)));
            assert!(dice.below(3) < 3);
        }
        dice.between(i64::MIN, i64::MAX);
        assert_eq!((dice.between(5, 5), dice.between(5, 1), dice.below(0)), (5, 5, 0));
    }
}
