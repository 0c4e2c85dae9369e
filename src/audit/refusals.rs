//! Refusals that cost nothing to cause: the first of each kind and network are recorded as they are, and what comes beyond
//! them is counted until it is recorded as one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::{Event, EventKind};
use crate::config::Rate;
use crate::storage::{Db, Refusal, StorageError, audit_events};
use crate::support::{Clock, network};

/// Networks that are told apart in one window; further ones are counted together.
const MAX_NETWORKS: usize = 10_000;
/// So many times a network's share is recorded as it is of one kind, from all networks together.
const NETWORKS_AS_THEY_ARE: u64 = 20;
/// Networks whose count is recorded by itself at the end of a window, those with the most refusals.
const NETWORKS_BY_THEMSELVES: usize = 50;

/// Where what was decided is recorded.
#[derive(Clone)]
pub struct Trail {
    db: Db,
    clock: Clock,
    refusals: Arc<Refusals>,
}

struct Refusals {
    /// How many of one kind and network are recorded as they are, in how many seconds.
    share: Rate,
    window: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    /// `None` stands for all networks beyond [`MAX_NETWORKS`].
    counts: HashMap<(EventKind, Option<IpAddr>), Count>,
    as_they_are: HashMap<EventKind, u64>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    as_they_are: u32,
    beyond: u64,
    first_millis: i64,
    last_millis: i64,
}

/// What was not recorded one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Repeated {
    kind: EventKind,
    network: Option<IpAddr>,
    networks: u64,
    count: u64,
    first_millis: i64,
    last_millis: i64,
}

impl Trail {
    /// `share` is how many refusals of one kind and network are recorded as they are, in how many seconds.
    pub fn new(db: Db, clock: Clock, share: Rate) -> Self {
        Self { db, clock, refusals: Arc::new(Refusals { share, window: Mutex::default() }) }
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether a refusal is to be recorded as it is; else it was counted.
    pub(super) fn admits(&self, kind: EventKind, address: Option<&str>) -> bool {
        let network = address.and_then(|address| address.parse().ok()).map(network);
        self.refusals.admits(kind, network, self.clock.now_millis())
    }

    /// Records what was counted since the last time. To be called once in each window, and before the process ends.
    pub async fn flush(&self) -> Result<(), StorageError> {
        let repeated = self.refusals.take();
        if repeated.is_empty() {
            return Ok(());
        }
        let events: Vec<_> = repeated.iter().map(|repeated| repeated.event().stamp(&self.clock)).collect();
        self.db
            .write("audit.repeated", move |tx| -> Result<_, Refusal<StorageError>> {
                Ok(events.iter().try_for_each(|event| audit_events::insert(tx, event))?)
            })
            .await
    }
}

impl Refusals {
    fn admits(&self, kind: EventKind, network: Option<IpAddr>, now_millis: i64) -> bool {
        if !self.share.is_on() {
            return true;
        }
        let mut window = self.window();
        let Window { counts, as_they_are } = &mut *window;
        let known = counts.len() < MAX_NETWORKS || counts.contains_key(&(kind, network));
        let key = (kind, network.filter(|_| known));
        let count = counts.entry(key).or_insert(Count {
            as_they_are: 0,
            beyond: 0,
            first_millis: now_millis,
            last_millis: now_millis,
        });
        let of_kind = as_they_are.entry(kind).or_insert(0);
        if count.as_they_are < self.share.count && *of_kind < NETWORKS_AS_THEY_ARE * u64::from(self.share.count) {
            count.as_they_are += 1;
            *of_kind += 1;
            return true;
        }
        if count.beyond == 0 {
            count.first_millis = now_millis;
        }
        count.beyond += 1;
        count.last_millis = now_millis;
        false
    }

    /// What was counted, those with the most first and the rest of a kind together; a new window begins.
    fn take(&self) -> Vec<Repeated> {
        let window = std::mem::take(&mut *self.window());
        let beyond = window.counts.into_iter().filter(|(_, count)| count.beyond > 0);
        let mut all: Vec<Repeated> = beyond
            .map(|((kind, network), Count { beyond, first_millis, last_millis, .. })| Repeated {
                kind,
                network,
                networks: 1,
                count: beyond,
                first_millis,
                last_millis,
            })
            .collect();
        all.sort_by_key(|repeated| (std::cmp::Reverse(repeated.count), repeated.kind, repeated.network));
        let rest = all.split_off(all.len().min(NETWORKS_BY_THEMSELVES));
        let mut together: HashMap<EventKind, Repeated> = HashMap::new();
        for one in rest {
            together
                .entry(one.kind)
                .and_modify(|sum| {
                    sum.networks += one.networks;
                    sum.count += one.count;
                    sum.first_millis = sum.first_millis.min(one.first_millis);
                    sum.last_millis = sum.last_millis.max(one.last_millis);
                })
                .or_insert(Repeated { network: None, ..one });
        }
        all.extend(together.into_values());
        all
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Repeated {
    fn event(&self) -> Event {
        let detail = json!({
            "count": self.count,
            "networks": self.networks,
            "since": self.first_millis.div_euclid(1000),
            "until": self.last_millis.div_euclid(1000),
        });
        let event = Event::failure(self.kind).reason("repeated").detail(detail);
        self.network.iter().fold(event, |event, network| event.address(network))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    fn refusals(share: &str) -> Refusals {
        Refusals { share: share.parse().expect("a rate"), window: Mutex::default() }
    }

    #[test]
    fn the_first_are_recorded_and_the_rest_are_counted() {
        let refusals = refusals("3/1m");
        let told = (0..1_000).filter(|n| refusals.admits(EventKind::CsrfRejected, at("192.0.2.1"), *n)).count();
        assert_eq!(told, 3);
        assert!(refusals.admits(EventKind::CsrfRejected, at("192.0.2.2"), 5), "another network");
        assert!(refusals.admits(EventKind::AuthzRefused, at("192.0.2.1"), 5), "another kind");
        let repeated = refusals.take();
        assert_eq!(repeated.len(), 1, "{repeated:?}");
        assert_eq!((repeated[0].count, repeated[0].network), (997, at("192.0.2.1")));
        assert_eq!((repeated[0].first_millis, repeated[0].last_millis), (3, 999));
        assert!(refusals.admits(EventKind::CsrfRejected, at("192.0.2.1"), 1_000), "a new window");
        assert!(refusals.take().is_empty(), "nothing is told twice");
    }

    #[test]
    fn many_networks_fill_nothing() {
        let refusals = refusals("3/1m");
        let address = |n: u32| Some(IpAddr::from(std::net::Ipv4Addr::from(n)));
        let told = (0..60_000).filter(|n| refusals.admits(EventKind::CsrfRejected, address(n % 30_000), 0)).count();
        assert_eq!(told, 60, "twenty networks' share");
        assert!(refusals.window().counts.len() <= MAX_NETWORKS + 1);
        let repeated = refusals.take();
        assert_eq!(repeated.len(), NETWORKS_BY_THEMSELVES + 1);
        assert_eq!(repeated.iter().map(|repeated| repeated.count).sum::<u64>(), 60_000 - 60);
    }

    #[test]
    fn without_a_limit_all_are_recorded() {
        let refusals = refusals("0");
        assert!((0..1_000).all(|n| refusals.admits(EventKind::CsrfRejected, at("192.0.2.1"), n)));
    }
}
