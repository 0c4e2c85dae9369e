//! A bound on what each network has under way at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::network;

/// How much of one kind each network has under way, so that none has all of it.
#[derive(Debug)]
pub struct AtOnce {
    most: usize,
    under_way: Mutex<HashMap<IpAddr, usize>>,
}

/// One of a network's; over when this is dropped.
#[derive(Debug)]
pub struct Share<'a> {
    of: &'a AtOnce,
    network: IpAddr,
}

impl AtOnce {
    /// At most so many of one network (an IPv4 address or an IPv6 /64).
    pub fn new(most: usize) -> Self {
        Self { most, under_way: Mutex::default() }
    }

    /// Takes one of an address's share, if one is left.
    pub fn enter(&self, address: IpAddr) -> Option<Share<'_>> {
        let network = network(address);
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let count = under_way.entry(network).or_insert(0);
        (*count < self.most).then(|| {
            *count += 1;
            Share { of: self, network }
        })
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut under_way = self.of.under_way.lock().unwrap_or_else(PoisonError::into_inner);
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
}
