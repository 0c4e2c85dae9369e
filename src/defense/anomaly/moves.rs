//! The rule for tokens and API keys that are used from a network that is new for them.

use std::net::IpAddr;

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
    moved_at: Seconds,
    halved_at: Seconds,
}

impl Moves {
    pub fn new(settings: &Anomalies) -> Self {
        Self { settings: settings.clone(), families: Recent::new(FAMILIES), clients: Recent::new(CLIENTS) }
    }

    pub fn observe(&mut self, seen: &Observation, found: &mut Vec<Finding>) {
        let (Some(name), Some(address)) = (&seen.family, seen.address) else { return };
        match seen.what {
            What::FamilyUsed => self.family(seen, name, address, found),
            What::KeyMoved { known_for } => self.key(seen, name, address, known_for, found),
            _ => {}
        }
    }

    /// A key is its own habit: it is only told of when it moves, so that the time in between is what shows it.
    fn key(&mut self, seen: &Observation, id: &str, address: IpAddr, known_for: Seconds, found: &mut Vec<Finding>) {
        let settings = &self.settings;
        let habits = self.clients.entry(hash(("api key", id)), || Habits::new(seen.at));
        habits.forget(seen.at);
        let stayed = if habits.moves > 0.0 { seen.at - habits.moved_at } else { known_for };
        let is_settled = stayed >= Seconds::from(settings.new_network_days) * DAY
            && habits.moves <= settings.new_network_moves.into();
        if is_settled {
            let reason = format!(
                "The API key {id} had stayed in its network for {} hours (at least {}) and is used from {}; of late it has \
                 moved {:.0} times (at most {}).",
                stayed / 3_600,
                settings.new_network_days * 24,
                neighbourhood(address),
                habits.moves,
                settings.new_network_moves,
            );
            found.push(Finding {
                count: 1,
                threshold: 1,
                addresses: vec![address],
                client: seen.client.clone(),
                ..Finding::new(Rule::NewNetwork, Subject::ApiKey(id.to_owned()), reason, WINDOW, seen.at)
            });
        }
        habits.count(seen.at, true);
    }

    fn family(&mut self, seen: &Observation, name: &String, address: IpAddr, found: &mut Vec<Finding>) {
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
        habits.count(seen.at, moved);
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
        Self { uses: 0.0, moves: 0.0, since: at, moved_at: at, halved_at: at }
    }

    fn forget(&mut self, at: Seconds) {
        while at - self.halved_at >= HALF_LIFE && self.uses >= 1.0 {
            self.uses /= 2.0;
            self.moves /= 2.0;
            self.halved_at += HALF_LIFE;
        }
    }

    fn count(&mut self, at: Seconds, moved: bool) {
        self.uses += 1.0;
        if moved {
            self.moves += 1.0;
            self.moved_at = at;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Dev, Overrides, load};

    fn moves() -> Moves {
        let overrides = Overrides { dev: Dev::Yes, ..Overrides::default() };
        Moves::new(&load(&overrides, std::iter::empty()).expect("the defaults").anomalies)
    }

    fn key_moves(moves: &mut Moves, at: Seconds, known_for: Seconds) -> Option<Finding> {
        let mut found = Vec::new();
        let seen = Observation {
            family: Some("key".to_owned()),
            address: "198.51.100.7".parse().ok(),
            ..Observation::new(at, What::KeyMoved { known_for })
        };
        moves.observe(&seen, &mut found);
        found.pop()
    }

    #[test]
    fn a_key_that_stayed_for_days_and_leaves_is_told() {
        let mut moves = moves();
        let told = key_moves(&mut moves, 100 * DAY, 30 * DAY).expect("a finding");
        assert_eq!(told.subject, Subject::ApiKey("key".to_owned()));
        assert!(told.reason.contains("for 720 hours (at least 48)"), "{}", told.reason);
        assert_eq!(key_moves(&mut moves, 100 * DAY + 60, 30 * DAY), None, "and back");
        assert!(key_moves(&mut moves, 103 * DAY, 33 * DAY).is_some(), "days later it is news again");
    }

    #[test]
    fn a_key_of_machines_that_come_and_go_is_not() {
        let mut moves = moves();
        let told = (0..200).filter_map(|n| key_moves(&mut moves, 100 * DAY + n * 7_200, n * 7_200 + 60));
        assert_eq!(told.count(), 0);
        let young = key_moves(&mut Moves::new(&moves.settings), 100 * DAY, DAY);
        assert_eq!(young, None, "not known for long enough");
    }

    #[test]
    fn what_was_learned_is_taken_up() {
        let mut before = moves();
        let seen = |n: Seconds, address: &str| Observation {
            family: Some(format!("family{}", n % 7)),
            client: Some("web".to_owned()),
            address: address.parse().ok(),
            ..Observation::new(100 * DAY + n * 1_800, What::FamilyUsed)
        };
        let mut found = Vec::new();
        (0..200).for_each(|n| before.observe(&seen(n, "10.0.0.1"), &mut found));
        let kept = serde_json::to_string(&before.learned(10)).expect("JSON");
        let mut after = moves();
        after.learn(&serde_json::from_str::<Vec<_>>(&kept).expect("what was kept"));
        for n in 200..230 {
            after.observe(&seen(n, "10.0.0.1"), &mut found);
        }
        assert_eq!(found, []);
        after.observe(&seen(230, "198.51.100.7"), &mut found);
        assert_eq!(found.len(), 1, "{found:?}");
        let mut forgetful = moves();
        (200..230).for_each(|n| forgetful.observe(&seen(n, "10.0.0.1"), &mut found));
        forgetful.observe(&seen(230, "198.51.100.7"), &mut found);
        assert_eq!(found.len(), 1, "without it nothing is known yet");
    }
}
