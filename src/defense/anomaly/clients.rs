//! Rules about clients: many secrets tried, many clients registered, a token used twice.

use std::net::IpAddr;

use super::finding::{Finding, Rule, Subject};
use super::guessing::note;
use super::observation::{Observation, What};
use super::recent::Recent;
use super::window::{Distinct, Sliding, hash};
use crate::config::Anomalies;
use crate::support::Seconds;

/// Clients that are remembered.
const CLIENTS: usize = 8_192;

/// Clients: many secrets tried for one, many registered, and what was used twice.
pub(super) struct Clients {
    settings: Anomalies,
    tried: Recent<u64, Tried>,
    created: Sliding,
}

/// The secrets that were tried for one client. One that has the wrong secret and does not stop tries one.
struct Tried {
    secrets: Distinct<8>,
    addresses: Vec<IpAddr>,
}

impl Clients {
    pub fn new(settings: &Anomalies) -> Self {
        let window = Seconds::from(settings.client_burst_window_seconds);
        Self { settings: settings.clone(), tried: Recent::new(CLIENTS), created: Sliding::new(window) }
    }

    pub fn observe(&mut self, seen: &Observation, found: &mut Vec<Finding>) {
        match seen.what {
            What::ClientAuthFailed { secret: Some(secret) } => self.secret(seen, secret, found),
            What::ClientCreated => self.created(seen.at, found),
            What::Reused => reused(seen, found),
            _ => {}
        }
    }

    pub fn remembered(&self) -> usize {
        self.tried.len()
    }

    fn secret(&mut self, seen: &Observation, secret: u8, found: &mut Vec<Finding>) {
        let Some(client) = &seen.client else { return };
        let window = Seconds::from(self.settings.brute_force_client_window_seconds);
        let threshold = u64::from(self.settings.brute_force_client_secrets);
        let make = || Tried { secrets: Distinct::new(window), addresses: Vec::new() };
        let tried = self.tried.entry(hash(client), make);
        tried.secrets.add(seen.at, hash(secret));
        if let Some(address) = seen.address {
            note(&mut tried.addresses, address);
        }
        let count = tried.secrets.count(seen.at);
        if count < threshold {
            return;
        }
        let reason = format!(
            "About {count} different secrets were tried for the client {client} in {window} seconds (at least \
             {threshold}), from {} or more addresses.",
            tried.addresses.len()
        );
        found.push(Finding {
            count,
            threshold,
            addresses: tried.addresses.clone(),
            client: Some(client.clone()),
            ..Finding::new(Rule::BruteForceClient, Subject::Client(client.clone()), reason, window, seen.at)
        });
    }

    fn created(&mut self, at: Seconds, found: &mut Vec<Finding>) {
        let window = Seconds::from(self.settings.client_burst_window_seconds);
        let threshold = u64::from(self.settings.client_burst_clients);
        self.created.add(at);
        let count = self.created.sum(at);
        if count >= threshold {
            let reason = format!("{count} clients were registered in {window} seconds (at least {threshold}).");
            let finding = Finding::new(Rule::ClientBurst, Subject::Everybody, reason, window, at);
            found.push(Finding { count, threshold, ..finding });
        }
    }
}

/// There is no honest way to it that was not forgiven before it came here.
fn reused(seen: &Observation, found: &mut Vec<Finding>) {
    const WINDOW: Seconds = 600;
    let client = seen.client.clone().unwrap_or_default();
    let subject = match &seen.family {
        Some(family) => Subject::Family(family.clone()),
        None => Subject::Client(client.clone()),
    };
    let reason =
        format!("A code or refresh token of the client {client} was used a second time, and its family was ended.");
    found.push(Finding {
        count: 1,
        threshold: 1,
        addresses: seen.address.into_iter().collect(),
        client: seen.client.clone(),
        family: seen.family.clone(),
        ..Finding::new(Rule::TokenReuse, subject, reason, WINDOW, seen.at)
    });
}
