//! One rate limit, kept for each of its keys by GCRA.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};

use super::table::Table;
use crate::config::Rate;
use crate::protocol::{RateLimit, RateLimitPolicy};

/// One limit, kept for each of its keys (GCRA).
pub(super) struct Gauge {
    number: u16,
    rate: Rate,
    policy: Arc<RateLimitPolicy>,
    table: Table,
    limiter: RateLimiter<u64, Table, DefaultClock, StateInformationMiddleware>,
}

/// A limit that is exceeded.
#[derive(Debug, Clone)]
pub struct Exceeded {
    /// After so many seconds the same would be allowed.
    pub retry_after: u64,
    /// None where it is not to be told which limit it was.
    pub policy: Option<Arc<RateLimitPolicy>>,
}

/// What is left of a limit.
#[derive(Debug, Clone)]
pub struct Left {
    pub policy: Arc<RateLimitPolicy>,
    pub remaining: u32,
    pub reset: u64,
}

impl Left {
    /// As a header field tells it.
    pub fn shown(&self) -> RateLimit<'_> {
        RateLimit { policy: &self.policy, remaining: self.remaining, reset: self.reset }
    }
}

impl Gauge {
    /// `None` for a rate that limits nothing. The number tells this limit's keys from others' in the table.
    pub fn new(table: &Table, number: u16, name: &str, rate: Rate) -> Option<Self> {
        let (count, burst) = (NonZeroU32::new(rate.count)?, NonZeroU32::new(rate.burst)?);
        let one = Duration::from_secs(rate.seconds.into()) / count.get();
        let quota = Quota::with_period(one.max(Duration::from_nanos(1)))?.allow_burst(burst);
        let policy = RateLimitPolicy { name: name.to_owned(), quota: rate.count, window: rate.seconds };
        let limiter = RateLimiter::new(quota, table.clone(), DefaultClock::default());
        Some(Self { number, rate, policy: Arc::new(policy), table: table.clone(), limiter })
    }

    /// Takes one of a key's, if one is left.
    pub fn take(&self, key: impl Hash) -> Result<Left, Exceeded> {
        let key = self.table.key(self.number, key);
        match self.limiter.check_key(&key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                Ok(Left { policy: self.policy.clone(), remaining, reset: self.reset(remaining) })
            }
            Err(refused) => {
                let wait = refused.wait_time_from(self.limiter.clock().now());
                Err(Exceeded { retry_after: wait.as_secs().saturating_add(1), policy: Some(self.policy.clone()) })
            }
        }
    }

    fn reset(&self, remaining: u32) -> u64 {
        let used = u64::from(self.rate.burst.saturating_sub(remaining));
        (used * u64::from(self.rate.seconds)).div_ceil(u64::from(self.rate.count.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gets_its_burst_and_then_waits() {
        let rate = "6/1m burst 3".parse().expect("a rate");
        let gauge = Gauge::new(&Table::new(), 1, "test", rate).expect("a limit");
        let left: Vec<_> = (0..3).map(|_| gauge.take("a").expect("left")).collect();
        assert_eq!(left.iter().map(|left| left.remaining).collect::<Vec<_>>(), [2, 1, 0]);
        assert_eq!(left.iter().map(|left| left.reset).collect::<Vec<_>>(), [10, 20, 30]);
        let refused = gauge.take("a").expect_err("nothing left");
        assert!((9..=11).contains(&refused.retry_after), "{refused:?}");
        assert_eq!(gauge.take("b").expect("another key").remaining, 2);
        assert!(Gauge::new(&Table::new(), 1, "off", Rate::OFF).is_none());
    }

    /// What a request pays for its limits: a few hundred nanoseconds in a release build. In a debug build this only shows
    /// that nothing is of another order.
    #[test]
    fn it_is_cheap() {
        let rate = "1000000/1s".parse().expect("a rate");
        let gauge = Gauge::new(&Table::new(), 1, "test", rate).expect("a limit");
        let begin = std::time::Instant::now();
        for n in 0..20_000_u32 {
            let _ = gauge.take(n % 5_000);
        }
        let each = begin.elapsed() / 20_000;
        println!("a limit costs {each:?} a request");
        assert!(each < Duration::from_micros(50), "{each:?}");
    }
}
