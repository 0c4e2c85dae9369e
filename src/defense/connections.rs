//! Connections are bounded by the address of their peer, so that one address cannot hold all that the server may have.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, getrlimit};

use crate::config;
use crate::support::{AtOnce, Network, Share, may_be_proxy};

/// Counts open connections, in all and by address (an IPv6 /64).
#[derive(Debug)]
pub struct Connections {
    /// As many as the workers take, or as the process may have file descriptors.
    capacity: usize,
    open: Arc<AtomicUsize>,
    by_address: AtOnce,
    trusted_proxies: Vec<Network>,
}

/// An open connection; dropped with it.
#[derive(Debug)]
pub struct Connection {
    open: Arc<AtomicUsize>,
    _share: Option<Share>,
    keep_alive: bool,
}

impl Connections {
    pub fn new(server: &config::Server) -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.and_then(|most| usize::try_from(most).ok());
        let workers = server.max_connections.saturating_mul(server.worker_threads());
        let capacity = descriptors.map_or(workers, |most| workers.min(most));
        Self::bounded(capacity, server.max_connections_per_address, &server.trusted_proxies)
    }

    /// One address has no more than half of `capacity`, whatever `per_address` allows.
    fn bounded(capacity: usize, per_address: usize, trusted_proxies: &[Network]) -> Self {
        Self {
            capacity,
            open: Arc::default(),
            by_address: AtOnce::new(per_address.min((capacity / 2).max(1))),
            trusted_proxies: trusted_proxies.to_vec(),
        }
    }

    /// Counts a connection of a peer; `None` if its address has as many as it may.
    pub fn open(&self, peer: IpAddr) -> Option<Connection> {
        let share = if may_be_proxy(peer, &self.trusted_proxies) { None } else { Some(self.by_address.enter(peer)?) };
        let number = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        let of_address = share.as_ref().map_or(0, |share| share.number);
        let keep_alive = number <= self.capacity / 2 && of_address <= self.by_address.most().div_ceil(2);
        Some(Connection { open: Arc::clone(&self.open), _share: share, keep_alive })
    }
}

impl Connection {
    /// Whether the connection stays open after an answer. One that began when half of the connections were taken does not,
    /// because a client that keeps it may send half of its next request and then nothing.
    pub fn keeps_alive(&self) -> bool {
        self.keep_alive
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> IpAddr {
        address.parse().expect("an address")
    }

    #[test]
    fn one_address_has_its_share_and_keeps_half_of_it_alive() {
        let connections = Connections::bounded(100, 4, &["198.51.100.0/24".parse().expect("a network")]);
        let open = |address| connections.open(at(address));
        let held: Vec<_> = std::iter::from_fn(|| open("192.0.2.1")).collect();
        assert_eq!(held.iter().map(Connection::keeps_alive).collect::<Vec<_>>(), [true, true, false, false]);
        assert!(open("192.0.2.2").is_some_and(|connection| connection.keeps_alive()), "another address");
        let proxied: Vec<_> = (0..60).filter_map(|_| open("198.51.100.1")).collect();
        assert_eq!(proxied.len(), 60, "a trusted proxy has no share of its own");
        assert_eq!(proxied.iter().filter(|connection| connection.keeps_alive()).count(), 46, "half of all, less four");
        drop((held, proxied));
        assert_eq!(connections.open.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn no_setting_gives_one_address_more_than_half() {
        let connections = Connections::bounded(10, 1_000, &[]);
        assert_eq!(std::iter::from_fn(|| connections.open(at("192.0.2.1"))).collect::<Vec<_>>().len(), 5);
    }
}
