//! Rules for guessed passwords: many accounts from one network, one account again and again.

use std::net::IpAddr;

use ipnet::IpNet;

use super::finding::{Finding, Rule, Subject};
use super::observation::{Observation, What};
use super::recent::Recent;
use super::window::{Distinct, Sliding, hash};
use crate::config::Anomalies;
use crate::support::{Seconds, neighbourhood, network};

/// Networks and accounts that are remembered.
const NETWORKS: usize = 4_096;
const ACCOUNTS: usize = 32_768;
/// Accounts of one network that failed and did not succeed since; thresholds are below it.
const MAX_FAILING: usize = 256;
/// Addresses that a finding names.
const MAX_ADDRESSES: usize = 8;
const DAY: Seconds = 86_400;

/// Passwords: many accounts tried from one network, and one account tried again and again.
pub(super) struct Guessing {
    settings: Anomalies,
    networks: Recent<IpNet, [Crowd; 2]>,
    accounts: Recent<u64, Tries>,
}

/// Those who log in from one network.
struct Crowd {
    window: Seconds,
    /// Who failed there and has not got in since; whoever mistypes and then gets it right is none of them.
    failing: Vec<(u64, Seconds)>,
    succeeded: Distinct<8>,
    addresses: Vec<IpAddr>,
}

/// What was tried for one account.
struct Tries {
    soon: Sliding,
    day: Sliding,
    addresses: Vec<IpAddr>,
}

impl Guessing {
    pub fn new(settings: &Anomalies) -> Self {
        Self { settings: settings.clone(), networks: Recent::new(NETWORKS), accounts: Recent::new(ACCOUNTS) }
    }

    pub fn observe(&mut self, seen: &Observation, found: &mut Vec<Finding>) {
        let (Some(address), Some(account)) = (seen.address, &seen.account) else { return };
        let failed = match seen.what {
            What::LoginSucceeded => false,
            What::LoginFailed => true,
            _ => return,
        };
        self.crowd(seen.at, address, hash(account), failed, found);
        if failed {
            self.account(seen.at, address, account, found);
        }
    }

    pub fn remembered(&self) -> usize {
        self.networks.len() + self.accounts.len()
    }

    fn crowd(&mut self, at: Seconds, address: IpAddr, account: u64, failed: bool, found: &mut Vec<Finding>) {
        let settings = &self.settings;
        let windows = [Seconds::from(settings.password_spraying_window_seconds), DAY];
        let thresholds = [settings.password_spraying_accounts, settings.password_spraying_accounts_a_day];
        let place = neighbourhood(address);
        let crowds = self.networks.entry(place, || windows.map(Crowd::new));
        for (crowd, threshold) in crowds.iter_mut().zip(thresholds) {
            if !failed {
                crowd.succeed(at, account);
                continue;
            }
            crowd.fail(at, account, address);
            let (failing, succeeded) = (crowd.failing.len() as u64, crowd.succeeded.count(at));
            let share = failing * 100 / (failing + succeeded).max(1);
            if failing < u64::from(threshold) || share < u64::from(settings.password_spraying_percent) {
                continue;
            }
            let reason = format!(
                "Passwords were tried for {failing} accounts from {place} in {} seconds, and none of them got in since \
                 (at least {threshold}), while {succeeded} others did: {share} % failed (at least {} %).",
                crowd.window, settings.password_spraying_percent
            );
            found.push(Finding {
                count: failing,
                threshold: threshold.into(),
                addresses: crowd.addresses.clone(),
                ..Finding::new(Rule::PasswordSpraying, Subject::Network(place), reason, crowd.window, at)
            });
            // One finding, of whichever window is met first.
            break;
        }
    }

    fn account(&mut self, at: Seconds, address: IpAddr, account: &str, found: &mut Vec<Finding>) {
        let settings = &self.settings;
        let window = Seconds::from(settings.brute_force_account_window_seconds);
        let tries = self.accounts.entry(hash(account), || Tries {
            soon: Sliding::new(window),
            day: Sliding::new(DAY),
            addresses: Vec::new(),
        });
        tries.soon.add(at);
        tries.day.add(at);
        note(&mut tries.addresses, address);
        let counted = [
            (tries.soon.sum(at), settings.brute_force_account_failures, window),
            (tries.day.sum(at), settings.brute_force_account_failures_a_day, DAY),
        ];
        let met = counted.into_iter().find(|(count, threshold, _)| *count >= u64::from(*threshold));
        let Some((count, threshold, window)) = met else { return };
        let reason = format!(
            "{count} passwords were tried for one account in {window} seconds (at least {threshold}), from {} or more \
             addresses.",
            tries.addresses.len()
        );
        found.push(Finding {
            count,
            threshold: threshold.into(),
            addresses: tries.addresses.clone(),
            ..Finding::new(Rule::BruteForceAccount, Subject::Account(account.to_owned()), reason, window, at)
        });
    }
}

impl Crowd {
    fn new(window: Seconds) -> Self {
        Self { window, failing: Vec::new(), succeeded: Distinct::new(window), addresses: Vec::new() }
    }

    fn fail(&mut self, at: Seconds, account: u64, address: IpAddr) {
        let window = self.window;
        self.failing.retain(|(known, last)| *known != account && at - last < window);
        if self.failing.len() >= MAX_FAILING {
            self.failing.remove(0);
        }
        self.failing.push((account, at));
        note(&mut self.addresses, address);
    }

    fn succeed(&mut self, at: Seconds, account: u64) {
        self.failing.retain(|(known, _)| *known != account);
        self.succeeded.add(at, account);
    }
}

/// Keeps the last few different ones.
pub(super) fn note(addresses: &mut Vec<IpAddr>, address: IpAddr) {
    let address = network(address);
    addresses.retain(|known| *known != address);
    if addresses.len() >= MAX_ADDRESSES {
        addresses.remove(0);
    }
    addresses.push(address);
}
