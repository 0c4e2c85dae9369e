//! The rules of one mock run: which matches a request, and how often each was used.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::RuleError;
use super::chance::Chance;
use super::profiles;
use super::settings::{ProfileSettings, RuleSettings};
use super::then::{Act, Effect, Then, with_meaning};
use super::wanted::{Fits, Wanted};
use crate::mock::seen::Seen;
use crate::mock::strict;
use latchway_mock_api::NearMiss;

/// More rules at once are refused.
const MAX_RULES: usize = 1000;

/// The rules of one world.
pub struct Rules {
    seed: u64,
    profiles: BTreeMap<String, ProfileSettings>,
    state: Mutex<State>,
}

/// What the rules are at a moment, and how often each was used.
#[derive(Clone, Default)]
pub struct State {
    own: Vec<Rule>,
    profile: Option<(String, Vec<Rule>)>,
    /// How many were given a name by us.
    named: u64,
}

#[derive(Clone)]
struct Rule {
    id: String,
    settings: RuleSettings,
    wanted: Wanted,
    act: Act,
    chance: Chance,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// All conditions but chance held.
    fitted: u64,
    /// Chance was on its side, too.
    matched: u64,
    used: u64,
}

/// What the rules make of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Taken {
    pub effect: Option<Effect>,
    /// Names of the rules that had their way.
    pub matched: Vec<String>,
    /// Those that nearly had.
    pub near: Vec<NearMiss>,
}

/// A rule as `GET /mock/rules` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    #[serde(flatten)]
    pub rule: RuleSettings,
    /// How many requests met with it.
    pub used: u64,
    /// How many matched, with those that `after` and `times` let go by.
    pub matched: u64,
}

impl Rules {
    /// The rules and profiles of mock.toml, and the profiles that come with Latchway.
    ///
    /// # Errors
    /// The first rule that cannot be used.
    pub fn new(
        settings: &[RuleSettings],
        profiles: &BTreeMap<String, ProfileSettings>,
        seed: u64,
    ) -> Result<Self, RuleError> {
        let rules = Self { seed, profiles: profiles::with(profiles), state: Mutex::default() };
        rules.replace(settings)?;
        for (name, profile) in &rules.profiles {
            rules.compiled_profile(name, profile)?;
        }
        Ok(rules)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens to a request; counts it.
    pub fn take(&self, seen: &Seen) -> Taken {
        let mut state = self.state();
        let State { own, profile, .. } = &mut *state;
        let mut taken = Taken::default();
        let (mut delay, mut slow_body, mut then) = (None, None, None);
        for rule in own.iter_mut().chain(profile.iter_mut().flat_map(|(_, rules)| rules)) {
            match rule.due(seen) {
                Due::Yes(n) => {
                    delay = delay.or_else(|| rule.act.delay(rule.chance, n));
                    slow_body = slow_body.or(rule.act.slow_body);
                    taken.matched.push(rule.id.clone());
                    if rule.act.then.is_some() {
                        then.clone_from(&rule.act.then);
                        break;
                    }
                }
                Due::Nearly(why) => taken.near.push(NearMiss { what: format!("rule {}", rule.id), why }),
                Due::No => {}
            }
        }
        if !taken.matched.is_empty() {
            taken.effect = Some(Effect { delay, then: then.unwrap_or(Then::Pass), slow_body });
        }
        taken
    }

    /// All that were set by hand, and the active profile's name and rules.
    pub fn list(&self) -> (Vec<Listed>, Option<(String, Vec<Listed>)>) {
        let state = self.state();
        let listed = |rules: &[Rule]| rules.iter().map(Rule::listed).collect();
        (listed(&state.own), state.profile.as_ref().map(|(name, rules)| (name.clone(), listed(rules))))
    }

    /// Puts these in the place of all that were set by hand.
    ///
    /// # Errors
    /// The first that cannot be used; nothing has changed then.
    pub fn replace(&self, settings: &[RuleSettings]) -> Result<(), RuleError> {
        let mut state = self.state();
        let mut fresh = State { named: state.named, ..State::default() };
        for (n, rule) in settings.iter().enumerate() {
            self.push(&mut fresh, rule).map_err(|e| e.within(&format!("rules[{n}]")))?;
        }
        (state.own, state.named) = (fresh.own, fresh.named);
        Ok(())
    }

    /// Adds one behind those that are there, and tells its name.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn add(&self, settings: &RuleSettings) -> Result<Listed, RuleError> {
        self.push(&mut self.state(), settings)
    }

    fn push(&self, state: &mut State, settings: &RuleSettings) -> Result<Listed, RuleError> {
        if state.own.len() >= MAX_RULES {
            return Err(RuleError::invalid("rules", format!("there are {MAX_RULES} already")));
        }
        let id = match &settings.id {
            Some(id) => id.clone(),
            None => {
                state.named += 1;
                format!("rule-{}", state.named)
            }
        };
        if state.own.iter().any(|rule| rule.id == id) {
            return Err(RuleError::invalid("id", format!("{id:?} is the id of another rule")));
        }
        let rule = Rule::new(id, settings, self.seed)?;
        let listed = rule.listed();
        state.own.push(rule);
        Ok(listed)
    }

    /// # Errors
    /// If there is none of this name.
    pub fn remove(&self, id: &str) -> Result<(), RuleError> {
        let mut state = self.state();
        let at = state.own.iter().position(|rule| rule.id == id).ok_or_else(|| RuleError::NoRule(id.to_owned()))?;
        state.own.remove(at);
        Ok(())
    }

    /// Removes what was set by hand.
    pub fn clear(&self) {
        self.state().own.clear();
    }

    /// Names of all profiles and what they play.
    pub fn profiles(&self) -> impl Iterator<Item = (&str, &str)> {
        self.profiles.iter().map(|(name, profile)| (name.as_str(), profile.about.as_str()))
    }

    /// Makes a profile the active one.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn switch_on(&self, name: &str) -> Result<(), RuleError> {
        let Some(profile) = self.profiles.get(name) else {
            let near = strict::nearest(name, self.profiles.keys().map(String::as_str));
            return Err(RuleError::NoProfile { name: name.to_owned(), near });
        };
        let rules = self.compiled_profile(name, profile)?;
        self.state().profile = Some((name.to_owned(), rules));
        Ok(())
    }

    pub fn switch_off(&self) {
        self.state().profile = None;
    }

    /// As they are now.
    pub fn snapshot(&self) -> State {
        self.state().clone()
    }

    /// As they were then.
    pub fn restore(&self, state: State) {
        *self.state() = state;
    }

    fn compiled_profile(&self, name: &str, profile: &ProfileSettings) -> Result<Vec<Rule>, RuleError> {
        let rules = profile.rules.iter().enumerate().map(|(n, settings)| {
            let id = settings.id.clone().unwrap_or_else(|| format!("{name}-{}", n + 1));
            Rule::new(id, settings, self.seed).map_err(|e| e.within(&format!("profiles.{name}.rules[{n}]")))
        });
        rules.collect()
    }
}

enum Due {
    /// It is its turn, for the `n`th time from 0.
    Yes(u64),
    Nearly(String),
    No,
}

impl Rule {
    fn new(id: String, settings: &RuleSettings, seed: u64) -> Result<Self, RuleError> {
        // It becomes a part of paths.
        if !(1..=64).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            return Err(RuleError::invalid("id", format!("{id:?} must be 1 to 64 letters, digits, dots, - and _")));
        }
        if settings.times == Some(0) {
            return Err(RuleError::invalid("times", "0 times is never; leave the rule out"));
        }
        let wanted = Wanted::new(&with_meaning(settings.wanted.clone(), &settings.then.table))?;
        let act = Act::new(&settings.then.table)?;
        let (chance, counts) = (Chance::of(seed, &id), Counts::default());
        Ok(Self { settings: settings.clone(), wanted, act, chance, counts, id })
    }

    fn due(&mut self, seen: &Seen) -> Due {
        match self.wanted.fits(seen) {
            Fits::No => return Due::No,
            Fits::Nearly(why) => return Due::Nearly(why),
            Fits::Yes => {}
        }
        let counts = &mut self.counts;
        counts.fitted += 1;
        if let Some(probability) = self.wanted.probability()
            && self.chance.unit(0, counts.fitted) >= probability
        {
            return Due::Nearly(format!("chance decided against it (probability {probability})"));
        }
        counts.matched += 1;
        let after = self.settings.after;
        if counts.matched <= u64::from(after) {
            return Due::Nearly(format!("it lets {after} go by first, and this is number {}", counts.matched));
        }
        if let Some(times) = self.settings.times
            && counts.used >= u64::from(times)
        {
            return Due::Nearly(format!("it was for {times} and is used up"));
        }
        counts.used += 1;
        Due::Yes(counts.used - 1)
    }

    fn listed(&self) -> Listed {
        let rule = RuleSettings { id: Some(self.id.clone()), ..self.settings.clone() };
        Listed { rule, used: self.counts.used, matched: self.counts.matched }
    }
}

#[cfg(test)]
mod tests;
