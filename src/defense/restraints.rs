use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ipnet::IpNet;

use crate::domain::words;
use crate::storage::restraints::Restraint;
use crate::support::{Seconds, host, neighbourhood};

words! {
    /// What somebody may not do for a while.
    RestraintKind {
        /// A network may ask for nothing but public documents.
        Block = "block",
        /// A network gets little of everything.
        SlowAddress = "slow_address",
        /// A client gets little of everything.
        SlowClient = "slow_client",
        /// A network may not prove to be that client.
        ClientAuth = "client_auth",
        /// A network may not show that API key.
        ApiKey = "api_key",
        /// A network has named too many clients that there are not. Each node finds that by itself.
        UnknownClient = "unknown_client",
        /// A network has shown too many API keys that there are not. Each node finds that by itself.
        UnknownApiKey = "unknown_api_key",
        /// A network has tried too many one-time links. Each node finds that by itself.
        Link = "link",
    }
}

/// Further ones that a node finds by itself are not remembered.
const MAX_OWN: usize = 10_000;

/// Who is being restrained, as the database said a moment ago and this node itself has found since.
///
/// Nobody is, as a rule, and asking costs nothing then.
#[derive(Clone, Default)]
pub struct Restraints {
    any: Arc<AtomicBool>,
    current: Arc<RwLock<Arc<Table>>>,
    own: Arc<Mutex<HashMap<(RestraintKind, String), Own>>>,
}

/// What this node found by itself.
#[derive(Clone, Copy)]
struct Own {
    until: Seconds,
    /// From then on the database tells it, if it is to be told at all.
    kept_until: Seconds,
}

#[derive(Default)]
struct Table {
    blocked: HashMap<IpNet, Seconds>,
    slow_networks: HashMap<IpNet, Seconds>,
    others: HashMap<(RestraintKind, String), Seconds>,
}

impl Table {
    fn put(&mut self, kind: RestraintKind, subject: &str, until: Seconds) {
        let networks = match kind {
            RestraintKind::Block => &mut self.blocked,
            RestraintKind::SlowAddress => &mut self.slow_networks,
            _ => return later(&mut self.others, (kind, subject.to_owned()), until),
        };
        // A row that makes no sense restrains nobody.
        if let Ok(network) = subject.parse::<IpNet>() {
            later(networks, network, until);
        }
    }

    fn is_empty(&self) -> bool {
        self.blocked.is_empty() && self.slow_networks.is_empty() && self.others.is_empty()
    }
}

fn later<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Seconds>, key: K, until: Seconds) {
    let known = map.entry(key).or_insert(until);
    *known = until.max(*known);
}

/// The subject of a restraint of a network and, unless it is empty, a client or key.
pub(super) fn pair(name: &str, address: IpAddr) -> String {
    format!("{name} {}", host(address)).trim_start().to_owned()
}

impl Restraints {
    /// Takes up what the database says.
    pub fn replace(&self, stored: &[Restraint], now: Seconds) {
        let mut own = self.own();
        own.retain(|_, own| own.kept_until > now);
        let mut table = Table::default();
        let own = own.iter().map(|((kind, subject), own)| (*kind, subject.as_str(), own.until));
        let stored =
            stored.iter().filter_map(|row| Some((row.kind.parse().ok()?, row.subject.as_str(), row.expires_at)));
        for (kind, subject, until) in stored.chain(own) {
            table.put(kind, subject, until);
        }
        let any = !table.is_empty();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
        self.any.store(any, Ordering::Relaxed);
    }

    /// Restrains at once, on this node alone; what all are to know is left to the database after a moment.
    pub(super) fn add(&self, kind: RestraintKind, subject: String, until: Seconds, kept_until: Seconds) {
        let mut own = self.own();
        if own.len() < MAX_OWN {
            own.insert((kind, subject.clone()), Own { until, kept_until });
        }
        drop(own);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let mut table = Table {
            blocked: current.blocked.clone(),
            slow_networks: current.slow_networks.clone(),
            others: current.others.clone(),
        };
        table.put(kind, &subject, until);
        *current = Arc::new(table);
        self.any.store(true, Ordering::Relaxed);
    }

    /// Until when an address is blocked, if it is.
    pub fn blocked(&self, address: IpAddr, now: Seconds) -> Option<Seconds> {
        let table = self.table()?;
        longest(&table.blocked, address, now)
    }

    /// Until when an address is slowed down, if it is.
    pub fn slowed(&self, address: IpAddr, now: Seconds) -> Option<Seconds> {
        let table = self.table()?;
        longest(&table.slow_networks, address, now)
    }

    /// Until when a client is slowed down, if it is.
    pub fn slowed_client(&self, client_id: &str, now: Seconds) -> Option<Seconds> {
        self.other(RestraintKind::SlowClient, || client_id.to_owned(), now)
    }

    /// Until when an address may not show that client's or key's secret, if that is so.
    pub(super) fn barred(&self, kind: RestraintKind, name: &str, address: IpAddr, now: Seconds) -> Option<Seconds> {
        self.other(kind, || pair(name, address), now)
    }

    fn other(&self, kind: RestraintKind, subject: impl FnOnce() -> String, now: Seconds) -> Option<Seconds> {
        let table = self.table().filter(|table| !table.others.is_empty())?;
        table.others.get(&(kind, subject())).copied().filter(|until| *until > now)
    }

    fn table(&self) -> Option<Arc<Table>> {
        let any = self.any.load(Ordering::Relaxed);
        any.then(|| self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn own(&self) -> MutexGuard<'_, HashMap<(RestraintKind, String), Own>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn longest(networks: &HashMap<IpNet, Seconds>, address: IpAddr, now: Seconds) -> Option<Seconds> {
    if networks.is_empty() {
        return None;
    }
    let until = [host(address), neighbourhood(address)].iter().filter_map(|net| networks.get(net)).max().copied();
    until.filter(|until| *until > now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: RestraintKind, subject: &str, expires_at: Seconds) -> Restraint {
        let text = str::to_owned;
        Restraint {
            kind: text(kind.as_str()),
            subject: text(subject),
            reason: String::new(),
            created_at: 0,
            expires_at,
        }
    }

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_is_blocked_until_its_time() {
        let restraints = Restraints::default();
        assert_eq!(restraints.blocked(at("192.0.2.1"), 0), None);
        let rows = [
            row(RestraintKind::Block, "192.0.2.0/24", 10),
            row(RestraintKind::Block, "2001:db8::/64", 20),
            row(RestraintKind::Block, "nonsense", 20),
        ];
        restraints.replace(&rows, 0);
        assert_eq!(restraints.blocked(at("192.0.2.1"), 5), Some(10));
        assert_eq!(restraints.blocked(at("192.0.2.1"), 10), None, "the end comes without anybody's doing");
        assert_eq!(restraints.blocked(at("2001:db8::1"), 5), Some(20));
        assert_eq!(restraints.blocked(at("2001:db8:0:1::1"), 5), None);
        assert_eq!(restraints.slowed(at("192.0.2.1"), 5), None);
        restraints.replace(&[], 0);
        assert_eq!(restraints.blocked(at("192.0.2.1"), 5), None);
    }

    #[test]
    fn what_a_node_found_itself_outlives_the_next_look() {
        let restraints = Restraints::default();
        restraints.add(RestraintKind::ClientAuth, pair("app", at("192.0.2.1")), 10, 10);
        restraints.replace(&[], 0);
        let barred =
            |name: &str, address: &str, now| restraints.barred(RestraintKind::ClientAuth, name, at(address), now);
        assert_eq!(barred("app", "192.0.2.1", 5), Some(10));
        assert_eq!(barred("app", "192.0.2.2", 5), None, "from elsewhere");
        assert_eq!(barred("other", "192.0.2.1", 5), None);
        assert_eq!(barred("app", "192.0.2.1", 10), None);
        restraints.replace(&[], 11);
        assert!(restraints.table().is_none(), "nothing is left to ask");
    }
}
