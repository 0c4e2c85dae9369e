//! Chance that comes out the same for the same seed, rule and count, whatever other rules were asked in between.

/// What falls for one rule.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    seed: u64,
}

impl Chance {
    pub fn of(seed: u64, rule: &str) -> Self {
        // FNV-1a
        let name = rule.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { seed: mixed(seed ^ name) }
    }

    /// In `0.0..1.0`, for the `n`th question of a kind.
    pub fn unit(self, kind: u64, n: u64) -> f64 {
        let bits = mixed(self.seed ^ mixed(n.wrapping_add(kind << 56))) >> 11;
        // 53 bits are what the number holds.
        bits as f64 / (1_u64 << 53) as f64
    }

    /// Log-normal (a median, and the deviation of the logarithm), by the method of Box and Muller.
    pub fn log_normal(self, median: f64, sigma: f64, n: u64) -> f64 {
        let (first, second) = (1.0 - self.unit(1, n), self.unit(2, n));
        let normal = (-2.0 * first.ln()).sqrt() * (std::f64::consts::TAU * second).cos();
        median * (sigma * normal).exp()
    }
}

/// The finalizer of SplitMix64.
fn mixed(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides() {
        let draw = |seed, rule| (0..8).map(|n| Chance::of(seed, rule).unit(0, n).to_bits()).collect::<Vec<_>>();
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
    }

    #[test]
    fn a_twentieth_is_a_twentieth() {
        let chance = Chance::of(1, "flaky");
        let hits = (0..20_000).filter(|n| chance.unit(0, *n) < 0.05).count();
        assert!((900..1100).contains(&hits), "{hits}");
    }

    #[test]
    fn half_of_a_log_normal_lies_below_its_median() {
        let chance = Chance::of(1, "slow");
        let drawn: Vec<f64> = (0..20_000).map(|n| chance.log_normal(400.0, 0.5, n)).collect();
        let below = drawn.iter().filter(|value| **value < 400.0).count();
        assert!((9_700..10_300).contains(&below), "{below}");
        // 95 of 100 lie below median * exp(1.645 * sigma).
        let tail = drawn.iter().filter(|value| **value > 400.0 * (1.645_f64 * 0.5).exp()).count();
        assert!((850..1_150).contains(&tail), "{tail}");
    }
}
