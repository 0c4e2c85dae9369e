use ipnet::IpNet;

use super::finding::{Finding, Rule, Subject};
use super::observation::{Observation, What};
use super::recent::Recent;
use super::window::{Sliding, hash};
use crate::config::Anomalies;
use crate::support::{Seconds, neighbourhood};

/// Families and clients that are remembered.
const FAMILIES: usize = 131_072;
const CLIENTS: usize = 8_192;
/// Networks of a family that are remembered.
const MAX_NETWORKS: usize = 4;
/// Uses after which what a client did before counts half.
const MEMORY: f64 = 2_000.0;
/// Families of one client that may be told of one by one; if more move, the client has.
const ONE_BY_ONE: u64 = 3;
const WINDOW: Seconds = 3_600;

/// Families of tokens that are used from somewhere else. Phones do that all day; the families of a server never do, and
/// only where that is so, it tells anything.
pub(super) struct Moves {
    settings: Anomalies,
    families: Recent<u64, Family>,
    clients: Recent<String, Client>,
}

struct Family {
    networks: Vec<IpNet>,
    uses: u32,
}

/// How much the families of a client move about.
struct Client {
    uses: f64,
    moves: f64,
    moved: Sliding,
}

impl Moves {
    pub fn new(settings: &Anomalies) -> Self {
        Self { settings: settings.clone(), families: Recent::new(FAMILIES), clients: Recent::new(CLIENTS) }
    }

    pub fn observe(&mut self, seen: &Observation, found: &mut Vec<Finding>) {
        let (What::FamilyUsed, Some(name), Some(address)) = (seen.what, &seen.family, seen.address) else { return };
        let client_id = seen.client.clone().unwrap_or_else(|| name.clone());
        let place = neighbourhood(address);
        let client =
            self.clients.entry(client_id.clone(), || Client { uses: 0.0, moves: 0.0, moved: Sliding::new(WINDOW) });
        let family = self.families.entry(hash(name), || Family { networks: vec![place], uses: 0 });
        family.uses = family.uses.saturating_add(1);
        if family.uses == 1 {
            return;
        }
        let moved = !family.networks.contains(&place);
        if moved {
            let settings = &self.settings;
            let percent = 100.0 * client.moves / client.uses.max(1.0);
            let is_settled =
                client.uses >= settings.new_network_uses.into() && percent <= settings.new_network_percent.into();
            client.moved.add(seen.at);
            if is_settled && family.uses > 2 {
                let many = client.moved.sum(seen.at);
                let before = (family.uses - 1, family.networks.clone());
                found.push(finding(seen, name, &client_id, place, before, many, (client.uses, client.moves)));
            }
            if family.networks.len() >= MAX_NETWORKS {
                family.networks.remove(0);
            }
            family.networks.push(place);
        }
        client.count(moved);
    }
}

impl Moves {
    pub fn remembered(&self) -> usize {
        self.families.len() + self.clients.len()
    }
}

impl Client {
    fn count(&mut self, moved: bool) {
        if self.uses >= MEMORY {
            self.uses /= 2.0;
            self.moves /= 2.0;
        }
        self.uses += 1.0;
        self.moves += if moved { 1.0 } else { 0.0 };
    }
}

fn finding(
    seen: &Observation,
    family: &str,
    client_id: &str,
    place: IpNet,
    (uses, networks): (u32, Vec<IpNet>),
    many: u64,
    (of, moved): (f64, f64),
) -> Finding {
    let known: Vec<String> = networks.iter().map(ToString::to_string).collect();
    let usual = format!("of the last {of:.0} uses of {client_id}, {moved:.0} came from somewhere new");
    let common = |subject, reason| Finding {
        count: many,
        addresses: seen.address.into_iter().collect(),
        client: seen.client.clone(),
        ..Finding::new(Rule::NewNetwork, subject, reason, WINDOW, seen.at)
    };
    if many > ONE_BY_ONE {
        let reason = format!(
            "{many} families of {client_id} are used from new networks within {WINDOW} seconds (more than {ONE_BY_ONE}), \
             the last from {place}; {usual}."
        );
        return Finding { threshold: ONE_BY_ONE + 1, ..common(Subject::Client(client_id.to_owned()), reason) };
    }
    let reason = format!("A family used {uses} times from {} is used from {place}; {usual}.", known.join(" and "));
    Finding { threshold: 1, family: Some(family.to_owned()), ..common(Subject::Family(family.to_owned()), reason) }
}
