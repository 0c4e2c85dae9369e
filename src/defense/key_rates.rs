use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::sync::Cache;

use crate::support::Id;

/// Keys of which one node remembers how often they came.
const MAX_KEYS: u64 = 100_000;
/// What was not seen for so long has recovered from every limit a minute.
const MEMORY: Duration = Duration::from_secs(120);
/// How often the trail is told of the same refusal.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// The rate limits of API keys, each with one of its own, on one node (GCRA). Bounded, and expires.
#[derive(Clone)]
pub struct KeyRates {
    limiters: Cache<(Id, u32), Arc<DefaultDirectRateLimiter>>,
    refusals: Cache<(Id, &'static str), ()>,
}

impl Default for KeyRates {
    fn default() -> Self {
        Self {
            limiters: Cache::builder().max_capacity(MAX_KEYS).time_to_idle(MEMORY).build(),
            refusals: Cache::builder().max_capacity(MAX_KEYS).time_to_live(TOLD_EVERY).build(),
        }
    }
}

impl KeyRates {
    /// One use of a key that may be used so often in a minute. `Err`: seconds to wait.
    pub fn check(&self, id: Id, per_minute: u32) -> Result<(), u64> {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        let limiter = self.limiters.get_with((id, per_minute), || Arc::new(RateLimiter::direct(quota)));
        limiter
            .check()
            .map_err(|refused| refused.wait_time_from(DefaultClock::default().now()).as_secs().saturating_add(1))
    }

    /// Whether this refusal of this key is news.
    pub fn is_first_refusal(&self, id: Id, why: &'static str) -> bool {
        self.refusals.entry((id, why)).or_insert(()).is_fresh()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_limit() {
        let rates = KeyRates::default();
        let (one, other) = (Id::from_bytes([1; 16]), Id::from_bytes([2; 16]));
        for _ in 0..3 {
            assert_eq!(rates.check(one, 3), Ok(()));
        }
        assert!(rates.check(one, 3).is_err_and(|wait| (1..=21).contains(&wait)));
        assert_eq!(rates.check(other, 3), Ok(()));
    }

    #[test]
    fn a_refusal_is_told_once() {
        let rates = KeyRates::default();
        let id = Id::from_bytes([1; 16]);
        assert!(rates.is_first_refusal(id, "expired"));
        assert!(!rates.is_first_refusal(id, "expired"));
        assert!(rates.is_first_refusal(id, "revoked"));
    }
}
