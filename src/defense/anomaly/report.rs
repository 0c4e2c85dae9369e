//! Reports a finding once, and then once a window with its count while it goes on.

use super::finding::{Finding, Rule, Subject};
use super::recent::Recent;
use crate::support::Seconds;

/// Findings that may go on at once; of more, those that were not met of late are told anew.
const CAPACITY: usize = 8_192;

/// Tells a finding once and then, while it goes on, once a window with its grown count.
pub(super) struct Report {
    open: Recent<(Rule, Subject), Open>,
}

struct Open {
    since: Seconds,
    met_at: Seconds,
    told_at: Seconds,
}

impl Report {
    pub fn new() -> Self {
        Self { open: Recent::new(CAPACITY) }
    }

    /// The finding, if it is to be told now.
    pub fn tell(&mut self, mut finding: Finding) -> Option<Finding> {
        let (at, window) = (finding.at, finding.window);
        let mut is_new = false;
        let open = self.open.entry((finding.rule, finding.subject.clone()), || {
            is_new = true;
            Open { since: at, met_at: at, told_at: at }
        });
        let went_on = at - open.met_at < window;
        if !went_on {
            open.since = at;
        }
        open.met_at = at;
        if !is_new && at - open.told_at < window {
            return None;
        }
        open.told_at = at;
        finding.since = open.since;
        Some(finding)
    }

    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Somebody told it before: an engine on another node, or this one before it was started again.
    pub fn was_told(&mut self, rule: Rule, subject: Subject, at: Seconds, since: Seconds) {
        let open = self.open.entry((rule, subject), || Open { since, met_at: at, told_at: at });
        open.told_at = open.told_at.max(at);
        open.met_at = open.met_at.max(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(at: Seconds) -> Finding {
        Finding {
            rule: Rule::ErrorRate,
            severity: Rule::ErrorRate.severity(),
            subject: Subject::Client("app".to_owned()),
            reason: String::new(),
            count: 1,
            threshold: 1,
            window: 60,
            since: at,
            at,
            addresses: Vec::new(),
            client: None,
            family: None,
        }
    }

    #[test]
    fn what_goes_on_is_told_once_a_window() {
        let mut report = Report::new();
        let told: Vec<Finding> = (1_000..1_300).filter_map(|at| report.tell(finding(at))).collect();
        assert_eq!(told.iter().map(|finding| finding.at).collect::<Vec<_>>(), [1_000, 1_060, 1_120, 1_180, 1_240]);
        assert!(told.iter().all(|finding| finding.since == 1_000), "the same all the time");
        let again = report.tell(finding(9_000)).expect("told");
        assert_eq!(again.since, 9_000, "another one");
    }

    #[test]
    fn what_was_told_before_a_restart_is_not_told_again() {
        let mut report = Report::new();
        report.was_told(Rule::ErrorRate, Subject::Client("app".to_owned()), 1_000, 900);
        assert_eq!(report.tell(finding(1_030)), None);
        assert_eq!(report.tell(finding(1_061)).map(|finding| finding.since), Some(900));
    }
}
