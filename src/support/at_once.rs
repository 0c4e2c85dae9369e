//! A bound on what each network has under way at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::network;

/// Counts what each network (an IPv4 address or an IPv6 /64) has under way of one kind, so that none has all of it.
#[derive(Debug)]
pub struct AtOnce {
    most: usize,
    under_way: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One of a network's; over when this is dropped.
#[derive(Debug)]
pub struct Share {
    under_way: Arc<Mutex<HashMap<IpAddr, usize>>>,
    network: IpAddr,
    /// How many the network had when this one began, itself included.
    pub number: usize,
}

impl AtOnce {
    /// At most `most` of one network.
    pub fn new(most: usize) -> Self {
        Self { most, under_way: Arc::default() }
    }

    /// The most that one network may have.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Takes one of an address's share, if one is left.
    pub fn enter(&self, address: IpAddr) -> Option<Share> {
        self.enter_below(address, self.most)
    }

    /// The same for something that may use only `most` of the share.
    pub fn enter_below(&self, address: IpAddr, most: usize) -> Option<Share> {
        let network = network(address);
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let before = under_way.get(&network).copied().unwrap_or(0);
        (before < most.min(self.most)).then(|| {
            let number = before + 1;
            under_way.insert(network, number);
            Share { under_way: Arc::clone(&self.under_way), network, number }
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = under_way.entry(self.network) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_has_its_own_share() {
        let at = |text: &str| text.parse().expect("an address");
        let bodies = AtOnce::new(2);
        let held = [bodies.enter(at("192.0.2.1")), bodies.enter(at("192.0.2.1"))];
        assert!(held.iter().all(Option::is_some) && bodies.enter(at("192.0.2.1")).is_none());
        assert!(bodies.enter(at("192.0.2.2")).is_some(), "another network");
        let ours = bodies.enter(at("2001:db8::1"));
        let theirs = bodies.enter(at("2001:db8::2"));
        assert!(ours.is_some() && theirs.is_some() && bodies.enter(at("2001:db8::3")).is_none(), "an IPv6 /64 is one");
        drop((held, ours, theirs));
        assert!(bodies.under_way.lock().expect("not poisoned").is_empty(), "nothing is left of what has ended");
    }

    #[test]
    fn some_may_use_only_a_part_of_a_share() {
        let address = "192.0.2.1".parse().expect("an address");
        let requests = AtOnce::new(3);
        let first = requests.enter_below(address, 1);
        assert_eq!(first.as_ref().map(|share| share.number), Some(1));
        assert!(requests.enter_below(address, 1).is_none(), "its part is used");
        assert_eq!(requests.enter(address).map(|share| share.number), Some(2), "the rest is there for others");
    }
}
