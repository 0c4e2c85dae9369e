//! Counting of attempts: failures within a window, and attempts that are being evaluated.

use super::words;
use crate::support::Seconds;

words! {
    /// What attempts are counted for, and by whom.
    ThrottleKind {
        /// A client's secret or assertion, presented from one network.
        ClientAuth = "client_auth",
        /// Client ids that do not exist, from one network.
        UnknownClient = "unknown_client",
        /// One API key, presented with another secret from one network.
        ApiKey = "api_key",
        /// API keys that do not exist, from one network.
        UnknownApiKey = "unknown_api_key",
        /// One-time links that do not work, from one network.
        Link = "link",
        /// Passwords, from one network.
        LoginAddress = "login_address",
        /// Passwords of one account, from one network.
        LoginAccountAtAddress = "login_account_at_address",
        /// Passwords of one account, from anywhere.
        LoginAccount = "login_account",
        /// The pause between two tries, for unknown browsers, while one account is guessed from anywhere.
        LoginBrake = "login_brake",
        /// Passwords of one account, in a browser or app in which its person has logged in before.
        LoginBrowser = "login_browser",
        /// User codes of devices, from one network.
        UserCodeAddress = "user_code_address",
        /// User codes of devices, typed by one person.
        UserCodePerson = "user_code_person",
    }
}

/// An attempt whose evaluation has not ended after so many seconds is forgotten: its node has crashed.
const LONGEST_EVALUATION: Seconds = 60;

/// Failures under one name in a window, and the attempts that are being evaluated.
///
/// Both take places of the same limit, so that of a hundred attempts at once no more are evaluated than may fail. Only
/// what was evaluated and was wrong stays counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    pub failures: i64,
    /// The end of the window in which these failures count.
    pub until: Seconds,
    pub under_way: i64,
    /// Until when those under way are believed to be.
    pub under_way_until: Seconds,
}

/// Whether an attempt may be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It may, and is under way until it is released or has failed.
    Taken(Lease),
    /// The failures alone fill the limit until that moment.
    Full(Seconds),
    /// With those under way the limit is full; a place may be free in a moment.
    Busy,
}

/// A place that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease(Seconds);

impl Attempts {
    /// The failures that still count.
    pub fn failures_at(&self, now: Seconds) -> i64 {
        if self.until > now { self.failures } else { 0 }
    }

    /// Until when the failures alone fill a limit, if they do.
    pub fn full_until(&self, most: i64, now: Seconds) -> Option<Seconds> {
        (self.failures_at(now) >= most).then_some(self.until)
    }

    /// Takes a place, if one of `most` is free and fewer than `at_once` are under way.
    pub fn take(&mut self, most: i64, at_once: i64, now: Seconds) -> Place {
        if let Some(until) = self.full_until(most, now) {
            return Place::Full(until);
        }
        if self.under_way_until <= now {
            self.under_way = 0;
        }
        if self.under_way >= at_once || self.failures_at(now) + self.under_way >= most {
            return Place::Busy;
        }
        if self.under_way == 0 {
            self.under_way_until = now + LONGEST_EVALUATION;
        }
        self.under_way += 1;
        Place::Taken(Lease(self.under_way_until))
    }

    /// Gives a place back: nothing was evaluated, or it was right.
    pub fn release(&mut self, lease: Lease) {
        if lease.0 == self.under_way_until {
            self.under_way = (self.under_way - 1).max(0);
        }
    }

    /// It was evaluated and was wrong. The window begins with its first failure.
    pub fn fail(&mut self, window: Seconds, now: Seconds) {
        if self.until <= now {
            (self.failures, self.until) = (0, now + window);
        }
        self.failures += 1;
    }

    /// So many failures turned out to be no guesses.
    pub fn forgive(&mut self, failures: i64) {
        self.failures = (self.failures - failures).max(0);
    }

    /// Whether nothing is left to remember.
    pub fn is_idle(&self, now: Seconds) -> bool {
        self.failures_at(now) == 0 && (self.under_way == 0 || self.under_way_until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leased(place: Place) -> Lease {
        match place {
            Place::Taken(lease) => lease,
            other => panic!("no place: {other:?}"),
        }
    }

    #[test]
    fn no_more_are_evaluated_than_may_fail() {
        let mut attempts = Attempts::default();
        let leases: Vec<_> = (0..5).map(|_| leased(attempts.take(5, 100, 0))).collect();
        assert_eq!(attempts.take(5, 100, 0), Place::Busy, "five are under way");
        for lease in &leases[..2] {
            attempts.release(*lease);
            attempts.fail(900, 1);
        }
        assert_eq!(attempts.take(5, 100, 1), Place::Busy, "two have failed, three are under way");
        attempts.release(leases[2]);
        let next = leased(attempts.take(5, 100, 2));
        for lease in [leases[3], leases[4], next] {
            attempts.release(lease);
            attempts.fail(900, 2);
        }
        assert_eq!(attempts.take(5, 100, 3), Place::Full(901), "until the window ends, and not a second longer");
        assert!(matches!(attempts.take(5, 100, 901), Place::Taken(_)));
    }

    #[test]
    fn what_was_right_or_not_evaluated_leaves_nothing() {
        let mut attempts = Attempts::default();
        for now in 0..1_000 {
            let lease = leased(attempts.take(5, 5, now));
            attempts.release(lease);
        }
        assert!(attempts.is_idle(1_000) && attempts.failures == 0);
        attempts.fail(10, 1_000);
        attempts.forgive(3);
        assert_eq!(attempts.failures, 0);
    }

    #[test]
    fn what_died_is_forgotten_and_takes_no_place_twice() {
        let mut attempts = Attempts::default();
        let dead: Vec<_> = (0..5).map(|_| leased(attempts.take(5, 5, 0))).collect();
        assert_eq!(attempts.take(5, 5, 59), Place::Busy);
        let lease = leased(attempts.take(5, 5, 60));
        attempts.release(dead[0]);
        assert_eq!(attempts.under_way, 1, "a place of before is none of these");
        attempts.release(lease);
        assert!(attempts.is_idle(60));
    }

    #[test]
    fn fewer_may_be_under_way_than_may_fail() {
        let mut attempts = Attempts::default();
        assert!(matches!(attempts.take(50, 2, 0), Place::Taken(_)));
        assert!(matches!(attempts.take(50, 2, 0), Place::Taken(_)));
        assert_eq!(attempts.take(50, 2, 0), Place::Busy);
    }
}
