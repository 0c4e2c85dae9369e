//! The rule for clients that are refused much more often than their own average.

use super::finding::{Finding, Rule, Subject};
use super::observation::{Observation, What};
use super::recent::Recent;
use super::window::{Sliding, hash};
use crate::config::Anomalies;
use crate::support::Seconds;

/// Clients that are remembered.
const CLIENTS: usize = 8_192;
/// How much of a client's average is the last window's.
const WEIGHT: f64 = 0.1;
/// So many times the usual share is unusual.
const FACTOR: f64 = 4.0;

/// Clients that are refused more than they used to be.
pub(super) struct Errors {
    settings: Anomalies,
    clients: Recent<u64, Rates>,
}

struct Rates {
    served: Sliding,
    refused: Sliding,
    usual_percent: f64,
    sampled_at: Seconds,
}

impl Errors {
    pub fn new(settings: &Anomalies) -> Self {
        Self { settings: settings.clone(), clients: Recent::new(CLIENTS) }
    }

    pub fn observe(&mut self, seen: &Observation, found: &mut Vec<Finding>) {
        let Some(name) = &seen.client else { return };
        let refused = match seen.what {
            What::ClientServed | What::FamilyUsed => false,
            What::ClientAuthFailed { .. } | What::ClientRefused => true,
            _ => return,
        };
        let settings = &self.settings;
        let window = Seconds::from(settings.error_rate_window_seconds);
        let client = self.clients.entry(hash(name), || Rates {
            served: Sliding::new(window),
            refused: Sliding::new(window),
            usual_percent: 0.0,
            sampled_at: seen.at,
        });
        client.sample(seen.at, window);
        if !refused {
            client.served.add(seen.at);
            return;
        }
        client.refused.add(seen.at);
        let (count, served) = (client.refused.sum(seen.at), client.served.sum(seen.at));
        let percent = 100.0 * count as f64 / (count + served).max(1) as f64;
        let least = (client.usual_percent * FACTOR).max(settings.error_rate_percent.into()).min(90.0);
        let threshold = u64::from(settings.error_rate_errors);
        if count < threshold || percent < least {
            return;
        }
        let reason = format!(
            "The client {name} was refused {count} times in {window} seconds (at least {threshold}) and served {served} \
             times: {percent:.0} % refused, where {:.0} % are usual (at least {least:.0} %).",
            client.usual_percent
        );
        found.push(Finding {
            count,
            threshold,
            addresses: seen.address.into_iter().collect(),
            client: Some(name.clone()),
            ..Finding::new(Rule::ErrorRate, Subject::Client(name.clone()), reason, window, seen.at)
        });
    }
}

impl Errors {
    pub fn remembered(&self) -> usize {
        self.clients.len()
    }
}

impl Rates {
    /// Once a window: what is usual for this client.
    fn sample(&mut self, at: Seconds, window: Seconds) {
        if at - self.sampled_at < window {
            return;
        }
        self.sampled_at = at;
        let (refused, served) = (self.refused.sum(at), self.served.sum(at));
        if refused + served >= 20 {
            let percent = (100 * refused) as f64 / (refused + served) as f64;
            self.usual_percent += WEIGHT * (percent - self.usual_percent);
        }
    }
}
