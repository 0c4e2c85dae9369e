use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::finding::{Finding, Rule, Subject};
use super::observation::{Observation, What};
use super::recent::Recent;
use super::window::hash;
use crate::config::Anomalies;
use crate::support::{Seconds, neighbourhood};

/// Families and clients that are remembered.
const FAMILIES: usize = 131_072;
const CLIENTS: usize = 8_192;
/// Networks of a family that are remembered.
const MAX_NETWORKS: usize = 4;
const WINDOW: Seconds = 3_600;
const DAY: Seconds = 86_400;
/// What a client did a week ago counts half.
const HALF_LIFE: Seconds = 7 * DAY;

/// Families of tokens that are used from somewhere else. Those of phones and laptops are, every day; those that a server
/// keeps never are, and only where that has been so for days, it tells anything.
pub(super) struct Moves {
    settings: Anomalies,
    families: Recent<u64, Family>,
    clients: Recent<u64, Habits>,
}

struct Family {
    networks: Vec<IpNet>,
    uses: u32,
}

/// How much the families of a client move about. It takes days to learn, so that it outlives an engine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Habits {
    uses: f64,
    moves: f64,
    since: Seconds,
    halved_at: Seconds,
}

impl Moves {
    pub fn new(settings: &Anomalies) -> Self {
        Self { settings: settings.clone(), families: Recent::new(FAMILIES), clients: Recent::new(CLIENTS) }
    }

    pub fn observe(&mut self, seen: &Observation, found: &mut Vec<Finding>) {
        let (What::FamilyUsed, Some(name), Some(address)) = (seen.what, &seen.family, seen.address) else { return };
        let client_id = seen.client.as_ref().unwrap_or(name);
        let place = neighbourhood(address);
        let habits = self.clients.entry(hash(client_id), || Habits::new(seen.at));
        habits.forget(seen.at);
        let family = self.families.entry(hash(name), || Family { networks: vec![place], uses: 0 });
        family.uses = family.uses.saturating_add(1);
        if family.uses == 1 {
            return;
        }
        let moved = !family.networks.contains(&place);
        if moved {
            if habits.are_settled(&self.settings, seen.at) && family.uses > 2 {
                found.push(finding(seen, (name, client_id), place, family, *habits, &self.settings));
            }
            if family.networks.len() >= MAX_NETWORKS {
                family.networks.remove(0);
            }
            family.networks.push(place);
        }
        habits.uses += 1.0;
        habits.moves += if moved { 1.0 } else { 0.0 };
    }

    pub fn remembered(&self) -> usize {
        self.families.len() + self.clients.len()
    }

    /// What took long to learn, of the clients that are used most, by their hashes.
    pub fn learned(&self, most: usize) -> Vec<(u64, Habits)> {
        let mut all: Vec<(u64, Habits)> = self.clients.iter().map(|(client, habits)| (*client, *habits)).collect();
        all.sort_by(|(_, a), (_, b)| b.uses.total_cmp(&a.uses));
        all.truncate(most);
        all
    }

    /// Takes up what was learned before.
    pub fn learn(&mut self, learned: &[(u64, Habits)]) {
        for (client, habits) in learned {
            *self.clients.entry(*client, || *habits) = *habits;
        }
    }
}

impl Habits {
    fn new(at: Seconds) -> Self {
        Self { uses: 0.0, moves: 0.0, since: at, halved_at: at }
    }

    fn forget(&mut self, at: Seconds) {
        while at - self.halved_at >= HALF_LIFE && self.uses >= 1.0 {
            self.uses /= 2.0;
            self.moves /= 2.0;
            self.halved_at += HALF_LIFE;
        }
    }

    fn are_settled(&self, settings: &Anomalies, at: Seconds) -> bool {
        self.uses >= settings.new_network_uses.into()
            && at - self.since >= Seconds::from(settings.new_network_days) * DAY
            && self.moves <= settings.new_network_moves.into()
    }
}

fn finding(
    seen: &Observation,
    (name, client_id): (&str, &str),
    place: IpNet,
    family: &Family,
    habits: Habits,
    settings: &Anomalies,
) -> Finding {
    let known: Vec<String> = family.networks.iter().map(ToString::to_string).collect();
    let days = (seen.at - habits.since) / DAY;
    let reason = format!(
        "A family used {} times from {} is used from {place}. In {days} days (at least {}) the families of {client_id} were \
         used {:.0} times (at least {}), {:.0} of them from somewhere new (at most {}).",
        family.uses - 1,
        known.join(" and "),
        settings.new_network_days,
        habits.uses,
        settings.new_network_uses,
        habits.moves,
        settings.new_network_moves,
    );
    Finding {
        count: 1,
        threshold: 1,
        addresses: seen.address.into_iter().collect(),
        client: seen.client.clone(),
        family: Some(name.to_owned()),
        ..Finding::new(Rule::NewNetwork, Subject::Family(name.to_owned()), reason, WINDOW, seen.at)
    }
}
