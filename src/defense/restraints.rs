//! Restrictions as this node knows them: those of the database, and those that it has found since.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use ipnet::IpNet;

use crate::domain::words;
use crate::storage::restraints::Restraint;
use crate::storage::throttles::Full;
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
        /// A network has named too many clients that there are not.
        UnknownClient = "unknown_client",
        /// A network has shown too many API keys that there are not.
        UnknownApiKey = "unknown_api_key",
        /// A network has tried too many one-time links.
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
    current: Arc<RwLock<Table>>,
    own: Arc<Mutex<Own>>,
}

/// What this node found by itself and the database tells from its next answer on.
#[derive(Default)]
struct Own {
    found: HashMap<(RestraintKind, String), (Seconds, u64)>,
    /// Numbers what is found.
    last: u64,
}

/// How much this node had found when it asked the database: what it found later, an answer does not know of.
#[derive(Debug, Clone, Copy)]
pub struct Asked(u64);

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
    /// To be called before the database is asked.
    pub fn asking(&self) -> Asked {
        Asked(self.own().last)
    }

    /// Takes up what the database says: what it does not name was lifted or has ended.
    pub fn replace(&self, stored: &[Restraint], full: &[Full], asked: Asked) {
        let mut own = self.own();
        own.found.retain(|_, (_, number)| *number > asked.0);
        let mut table = Table::default();
        for row in stored {
            if let Ok(kind) = row.kind.parse() {
                table.put(kind, &row.subject, row.expires_at);
            }
        }
        for row in full {
            if let Ok(kind) = row.kind.parse() {
                table.put(kind, format!("{} {}", row.subject, row.network).trim_start(), row.until);
            }
        }
        for ((kind, subject), (until, _)) in &own.found {
            table.put(*kind, subject, *until);
        }
        let any = !table.is_empty();
        // Nothing is found between these two, or it would be lost until the next answer.
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = table;
        self.any.store(any, Ordering::Relaxed);
    }

    /// Restrains at once, on this node alone; all nodes know when the database has told them.
    pub(super) fn add(&self, kind: RestraintKind, subject: String, until: Seconds) {
        let mut own = self.own();
        own.last += 1;
        if own.found.len() < MAX_OWN {
            let number = own.last;
            own.found.insert((kind, subject.clone()), (until, number));
        }
        // In place: readers wait for one insertion and not for a copy of all that is restrained.
        self.current.write().unwrap_or_else(PoisonError::into_inner).put(kind, &subject, until);
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

    fn table(&self) -> Option<RwLockReadGuard<'_, Table>> {
        let any = self.any.load(Ordering::Relaxed);
        any.then(|| self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn own(&self) -> MutexGuard<'_, Own> {
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
        restraints.replace(&rows, &[], restraints.asking());
        assert_eq!(restraints.blocked(at("192.0.2.1"), 5), Some(10));
        assert_eq!(restraints.blocked(at("192.0.2.1"), 10), None, "the end comes without anybody's doing");
        assert_eq!(restraints.blocked(at("2001:db8::1"), 5), Some(20));
        assert_eq!(restraints.blocked(at("2001:db8:0:1::1"), 5), None);
        assert_eq!(restraints.slowed(at("192.0.2.1"), 5), None);
        restraints.replace(&[], &[], restraints.asking());
        assert_eq!(restraints.blocked(at("192.0.2.1"), 5), None);
    }

    #[test]
    fn what_a_node_found_itself_outlives_an_answer_to_an_older_question() {
        let restraints = Restraints::default();
        let asked = restraints.asking();
        restraints.add(RestraintKind::ClientAuth, pair("app", at("192.0.2.1")), 10);
        restraints.replace(&[], &[], asked);
        let barred =
            |name: &str, address: &str, now| restraints.barred(RestraintKind::ClientAuth, name, at(address), now);
        assert_eq!(barred("app", "192.0.2.1", 5), Some(10));
        assert_eq!(barred("app", "192.0.2.2", 5), None, "from elsewhere");
        assert_eq!(barred("other", "192.0.2.1", 5), None);
        assert_eq!(barred("app", "192.0.2.1", 10), None);
        let full = Full {
            name: String::new(),
            kind: "client_auth".to_owned(),
            subject: "app".to_owned(),
            network: "192.0.2.1/32".to_owned(),
            failures: 20,
            until: 12,
        };
        restraints.replace(&[], &[full], restraints.asking());
        assert_eq!(barred("app", "192.0.2.1", 5), Some(12), "as the database tells it");
        restraints.replace(&[], &[], restraints.asking());
        assert!(restraints.table().is_none(), "it was lifted: nothing is left to ask");
    }

    /// Many that are found one after the other cost as much each as the first.
    #[test]
    fn adding_copies_nothing() {
        let restraints = Restraints::default();
        for n in 0..40_000_u32 {
            let address = IpAddr::from(std::net::Ipv4Addr::from(n));
            restraints.add(RestraintKind::UnknownClient, pair("", address), 10);
        }
        assert!(restraints.barred(RestraintKind::UnknownClient, "", at("0.0.156.63"), 5).is_some());
    }
}
