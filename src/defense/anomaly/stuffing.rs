//! The rule for lists of stolen passwords that are tried from many networks.

use std::collections::{HashMap, HashSet};

use super::finding::{Finding, Rule, Subject};
use super::observation::{Observation, What};
use super::window::{Distinct, hash};
use crate::config::Anomalies;
use crate::support::{Seconds, network};

/// Accounts that failed and did not succeed since, in each half of the window. Beyond, it is an attack in any case.
const MAX_FAILING: usize = 50_000;
/// How often in a window all is added up.
const LOOKS: Seconds = 60;

/// Lists of stolen passwords: many accounts fail from many networks, each of which tries so few that no limit is met.
///
/// How many logins fail anyway differs from place to place, so that the share of failures is compared with what it was.
pub(super) struct Stuffing {
    settings: Anomalies,
    window: Seconds,
    halves: [HashMap<u64, u64>; 2],
    half: Seconds,
    succeeded: Distinct<128>,
    /// The usual share of accounts that fail, in percent; a moving average over windows.
    usual_percent: f64,
    sampled_at: Seconds,
    looked_at: Seconds,
}

/// A place where fewer fail than that is not known well enough to be called unusual.
const LEAST_USUAL: f64 = 2.0;
/// How much of the average is the last window's.
const WEIGHT: f64 = 0.1;
/// So many times the usual share is unusual.
const FACTOR: f64 = 3.0;

impl Stuffing {
    pub fn new(settings: &Anomalies) -> Self {
        let window = Seconds::from(settings.credential_stuffing_window_seconds);
        Self {
            settings: settings.clone(),
            window,
            halves: [HashMap::new(), HashMap::new()],
            half: 0,
            succeeded: Distinct::new(window),
            usual_percent: LEAST_USUAL,
            sampled_at: 0,
            looked_at: 0,
        }
    }

    pub fn observe(&mut self, seen: &Observation, found: &mut Vec<Finding>) {
        let (Some(address), Some(account)) = (seen.address, &seen.account) else { return };
        let account = hash(account);
        self.move_to(seen.at);
        match seen.what {
            What::LoginSucceeded => {
                self.halves.iter_mut().for_each(|half| _ = half.remove(&account));
                self.succeeded.add(seen.at, account);
            }
            What::LoginFailed => {
                self.halves[1].remove(&account);
                if self.halves[0].len() < MAX_FAILING {
                    self.halves[0].insert(account, hash(network(address)));
                }
                self.look(seen.at, found);
            }
            _ => {}
        }
    }

    pub fn remembered(&self) -> usize {
        self.halves.iter().map(HashMap::len).sum()
    }

    fn move_to(&mut self, at: Seconds) {
        let half = at.div_euclid((self.window / 2).max(1));
        if half <= self.half {
            return;
        }
        self.sample(at);
        let before = std::mem::take(&mut self.halves[0]);
        self.halves[1] = if half - self.half == 1 { before } else { HashMap::new() };
        self.half = half;
    }

    /// Once a window: what is usual here.
    fn sample(&mut self, at: Seconds) {
        if at - self.sampled_at < self.window {
            return;
        }
        self.sampled_at = at;
        let (failing, succeeded) = (self.failing(), self.succeeded.count(at));
        if failing + succeeded >= 20 {
            let percent = (100 * failing) as f64 / (failing + succeeded) as f64;
            self.usual_percent += WEIGHT * (percent - self.usual_percent);
        }
    }

    fn failing(&self) -> u64 {
        self.halves.iter().map(|half| half.len() as u64).sum()
    }

    fn look(&mut self, at: Seconds, found: &mut Vec<Finding>) {
        let settings = &self.settings;
        let failing = self.failing();
        let pause = self.window / LOOKS;
        if failing < u64::from(settings.credential_stuffing_accounts) || at - self.looked_at < pause {
            return;
        }
        self.looked_at = at;
        let networks: HashSet<u64> = self.halves.iter().flat_map(HashMap::values).copied().collect();
        let networks = networks.len() as u64;
        let succeeded = self.succeeded.count(at);
        let percent = failing * 100 / (failing + succeeded).max(1);
        let usual = self.usual_percent.max(LEAST_USUAL);
        let least = (usual * FACTOR).max(settings.credential_stuffing_percent.into()).min(90.0);
        if networks < settings.credential_stuffing_networks.into() || (percent as f64) < least {
            return;
        }
        let threshold = settings.credential_stuffing_accounts;
        let reason = format!(
            "Passwords were tried for {failing} accounts from {networks} networks in {} seconds, and none of them got in \
             since (at least {threshold} accounts, {} networks), while {succeeded} others did: {percent} % failed, where \
             {usual:.0} % are usual (at least {least:.0} %).",
            self.window, settings.credential_stuffing_networks
        );
        found.push(Finding {
            count: failing,
            threshold: threshold.into(),
            ..Finding::new(Rule::CredentialStuffing, Subject::Everybody, reason, self.window, at)
        });
    }
}
