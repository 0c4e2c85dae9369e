//! Limits that a node keeps for itself. What guards a person's password is counted in the database.

mod admission;
mod key_rates;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use moka::sync::Cache;

use crate::config::Limits;

pub use admission::{Admission, Slot, Urgency};
pub use key_rates::KeyRates;

/// Keys that one limiter remembers at most.
const MAX_KEYS: u64 = 100_000;

/// The limiters of one node. All their state is bounded and expires.
#[derive(Clone)]
pub struct Limiter {
    authorize: Arc<DefaultKeyedRateLimiter<IpAddr>>,
    introspect: Arc<DefaultKeyedRateLimiter<String>>,
    client_failures: Cache<(String, IpAddr), Arc<AtomicU32>>,
    max_client_failures: u32,
    client_window: u64,
}

fn per_minute(count: u32) -> Quota {
    Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN))
}

impl Limiter {
    pub fn new(limits: &Limits) -> Self {
        let window = u64::from(limits.client_auth_window_seconds);
        Self {
            authorize: Arc::new(RateLimiter::keyed(per_minute(limits.authorize_per_address_per_minute))),
            introspect: Arc::new(RateLimiter::keyed(per_minute(limits.introspect_misses_per_minute))),
            client_failures: Cache::builder().max_capacity(MAX_KEYS).time_to_live(Duration::from_secs(window)).build(),
            max_client_failures: limits.client_auth_failures,
            client_window: window,
        }
    }

    /// A new login transaction from this address. `Err`: seconds to wait.
    pub fn authorize(&self, address: IpAddr) -> Result<(), u64> {
        check(&self.authorize, &network(address))
    }

    /// A token that a client introspected and that is none. `Err`: seconds to wait.
    pub fn introspection_miss(&self, client_id: &str) -> Result<(), u64> {
        check(&self.introspect, &client_id.to_owned())
    }

    /// Whether this address may try to authenticate as that client. From elsewhere the right secret still works.
    pub fn client_may_try(&self, client_id: &str, address: IpAddr) -> Result<(), u64> {
        let failures = self.client_failures.get(&(client_id.to_owned(), network(address)));
        match failures {
            Some(count) if count.load(Ordering::Relaxed) >= self.max_client_failures => Err(self.client_window.max(1)),
            _ => Ok(()),
        }
    }

    pub fn client_failed(&self, client_id: &str, address: IpAddr) {
        self.client_failures
            .get_with((client_id.to_owned(), network(address)), || Arc::new(AtomicU32::new(0)))
            .fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets what has recovered; to be called now and then.
    pub fn shrink(&self) {
        self.authorize.retain_recent();
        self.introspect.retain_recent();
        self.client_failures.run_pending_tasks();
    }
}

/// An IPv6 subscriber has a whole /64: it counts as one.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        },
    }
}

fn check<K: std::hash::Hash + Eq + Clone>(limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<(), u64> {
    limiter
        .check_key(key)
        .map_err(|refused| refused.wait_time_from(DefaultClock::default().now()).as_secs().saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let a: IpAddr = "2001:db8::1".parse().expect("an address");
        let b: IpAddr = "2001:db8::2:3".parse().expect("an address");
        let c: IpAddr = "2001:db8:0:1::1".parse().expect("an address");
        assert_eq!(network(a), network(b));
        assert_ne!(network(a), network(c));
    }
}
