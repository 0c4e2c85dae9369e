//! Load shedding: how many requests are under way, and which priority still gets in.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::route::Priority;
use crate::support::{AtOnce, Network, Share, may_be_proxy};

/// Counts the requests under way and decides which are still admitted when there are many.
///
/// A server that admits every request answers all of them too late. Ending access goes before giving it, and new logins
/// come last, so that logins and grants that have begun can finish. Of each class one address has a quarter at most.
#[derive(Debug)]
pub struct Admission {
    limit: usize,
    under_way: AtomicUsize,
    by_address: AtOnce,
    trusted_proxies: Vec<Network>,
}

/// A request under way; over when this is dropped.
#[derive(Debug)]
pub struct Slot<'a> {
    under_way: Option<&'a AtomicUsize>,
    _share: Option<Share>,
}

/// What requests of a priority may use of `limit`: all, three quarters, half.
fn part_of(limit: usize, priority: Priority) -> usize {
    match priority {
        Priority::Exempt | Priority::High => limit,
        Priority::Normal => limit - limit / 4,
        Priority::Low => limit - limit / 2,
    }
}

impl Admission {
    /// `limit` requests at once, three quarters of it for tokens and half of it for pages.
    pub fn new(limit: usize, trusted_proxies: &[Network]) -> Self {
        Self {
            limit,
            under_way: AtomicUsize::new(0),
            by_address: AtOnce::new((limit / 4).max(1)),
            trusted_proxies: trusted_proxies.to_vec(),
        }
    }

    /// Admits a request of an address, or refuses it.
    pub fn enter(&self, priority: Priority, address: IpAddr) -> Option<Slot<'_>> {
        if priority == Priority::Exempt {
            return Some(Slot { under_way: None, _share: None });
        }
        let share = if may_be_proxy(address, &self.trusted_proxies) {
            None
        } else {
            Some(self.by_address.enter_below(address, part_of(self.by_address.most(), priority))?)
        };
        let slot = Slot { under_way: Some(&self.under_way), _share: share };
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        (before < part_of(self.limit, priority)).then_some(slot)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if let Some(under_way) = self.under_way {
            under_way.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> IpAddr {
        address.parse().expect("an address")
    }

    #[test]
    fn the_urgent_get_in_when_others_do_not() {
        let (admission, proxy) = (Admission::new(4, &[]), at("127.0.0.1"));
        let pages: Vec<_> = (0..3).map(|_| admission.enter(Priority::Low, proxy)).collect();
        assert_eq!(pages.iter().filter(|slot| slot.is_some()).count(), 2);
        let token = admission.enter(Priority::Normal, proxy);
        assert!(token.is_some() && admission.enter(Priority::Normal, proxy).is_none());
        let revocation = admission.enter(Priority::High, proxy);
        assert!(revocation.is_some() && admission.enter(Priority::High, proxy).is_none());
        assert!(admission.enter(Priority::Exempt, proxy).is_some());
        drop((pages, token, revocation));
        assert_eq!(admission.under_way.load(Ordering::Relaxed), 0, "refused requests are not counted");
    }

    #[test]
    fn one_address_has_a_quarter_of_each_class() {
        let admission = Admission::new(32, &["198.51.100.0/24".parse().expect("a network")]);
        let enter = |priority, address| admission.enter(priority, at(address));
        let mut held = Vec::new();
        for (priority, most) in [(Priority::Low, 4), (Priority::Normal, 6), (Priority::High, 8)] {
            held.extend(std::iter::from_fn(|| enter(priority, "192.0.2.1")));
            assert_eq!(held.len(), most, "{priority:?}");
            assert!(enter(priority, "192.0.2.2").is_some(), "another address");
        }
        assert!(enter(Priority::Exempt, "192.0.2.1").is_some());
        let proxied = (0..20).filter_map(|_| enter(Priority::High, "198.51.100.1")).collect::<Vec<_>>();
        assert_eq!(proxied.len(), 20, "a trusted proxy has no share of its own");
    }
}
