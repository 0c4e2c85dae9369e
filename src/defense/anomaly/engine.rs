//! The engine that gives each observation to all rules.

use super::clients::Clients;
use super::errors::Errors;
use super::finding::{Finding, Rule, Subject};
use super::guessing::Guessing;
use super::moves::{Habits, Moves};
use super::observation::Observation;
use super::report::Report;
use super::stuffing::Stuffing;
use crate::config::Anomalies;
use crate::support::Seconds;

/// All rules, and what they remember.
pub struct Engine {
    guessing: Guessing,
    stuffing: Stuffing,
    clients: Clients,
    moves: Moves,
    errors: Errors,
    report: Report,
}

impl Engine {
    pub fn new(settings: &Anomalies) -> Self {
        Self {
            guessing: Guessing::new(settings),
            stuffing: Stuffing::new(settings),
            clients: Clients::new(settings),
            moves: Moves::new(settings),
            errors: Errors::new(settings),
            report: Report::new(),
        }
    }

    /// Takes note of what happened, and tells what it looks like: something new, or the grown numbers of what goes on.
    pub fn observe(&mut self, seen: &Observation) -> Vec<Finding> {
        let mut found = Vec::new();
        self.guessing.observe(seen, &mut found);
        self.stuffing.observe(seen, &mut found);
        self.clients.observe(seen, &mut found);
        self.moves.observe(seen, &mut found);
        self.errors.observe(seen, &mut found);
        found.into_iter().filter_map(|finding| self.report.tell(finding)).collect()
    }

    /// How much is remembered, in entries of about a hundred bytes (an account's or network's is up to a few thousand).
    /// Never more than [`Engine::MAX_REMEMBERED`].
    pub fn remembered(&self) -> usize {
        let of_people = self.guessing.remembered() + self.stuffing.remembered();
        of_people + self.clients.remembered() + self.moves.remembered() + self.errors.remembered() + self.report.len()
    }

    /// The bound of what is remembered.
    pub const MAX_REMEMBERED: usize = 400_000;

    /// What took days to learn, of so many clients, to be kept for an engine to come.
    pub fn learned(&self, most: usize) -> Vec<(u64, Habits)> {
        self.moves.learned(most)
    }

    /// Takes up what an engine before has learned.
    pub fn learn(&mut self, learned: &[(u64, Habits)]) {
        self.moves.learn(learned);
    }

    /// Takes note of a finding that was told before: by this engine before it was started anew, or by another.
    pub fn was_told(&mut self, rule: Rule, subject: Subject, at: Seconds, since: Seconds) {
        self.report.was_told(rule, subject, at, since);
    }
}
