//! The walk along all chains, event by event in the order of their ids. It holds a few words for each writer, however many
//! events there are.

use std::collections::HashMap;

use super::claims::{Claim, Claims, Epoch};
use super::integrity_problem::{Found, Place, Problems, TOLD, What};
use crate::domain::chain::{ChainKey, Record};
use crate::storage::SILENCE_MILLIS;
use crate::storage::audit_events::StoredEvent;
use crate::support::{Digest, Id};

/// A writer states how far it is every ten minutes at least; so long after that something is wrong.
const UNSTATED_MILLIS: i64 = 30 * 60 * 1000;
/// What was seen of one writer.
#[derive(Debug, Clone)]
pub struct Trace {
    pub first: Place,
    pub last: Place,
    pub events: u64,
    /// Events that no checkpoint states yet, and the first of them.
    pub unstated: u64,
    unstated_from: Option<Place>,
    /// The hash that the next event follows; `None` where an event before it was not seen.
    hash: Option<Digest>,
    /// What the last event's hash should have been, where it was another.
    instead: Option<Digest>,
}

/// Events that were not seen between two that were. They may have been removed as too old meanwhile, or written late.
#[derive(Debug, Clone)]
pub struct Gap {
    pub writer: Id,
    pub after: Option<(Place, Digest)>,
    pub from: i64,
    pub to: i64,
    pub before: Place,
}

/// Whether the walk sees all that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Whole,
    /// A part in time: what was before it or comes after is not missing.
    Part,
}

pub struct Walk<'a> {
    claims: &'a Claims,
    key: Option<&'a ChainKey>,
    extent: Extent,
    pub traces: HashMap<Id, Trace>,
    pub gaps: Vec<Gap>,
    pub problems: Problems,
    pub events: u64,
    pub unchained: u64,
    /// First events of chains from before a lost key that the checkpoint does not state.
    pub unproved_first_events: u64,
    unchained_until: Option<Id>,
    buffer: Vec<u8>,
}

impl<'a> Walk<'a> {
    pub fn new(claims: &'a Claims, key: Option<&'a ChainKey>, extent: Extent, unchained_until: Option<Id>) -> Self {
        Self {
            claims,
            key,
            extent,
            traces: HashMap::new(),
            gaps: Vec::new(),
            problems: Problems::default(),
            events: 0,
            unchained: 0,
            unproved_first_events: 0,
            unchained_until: unchained_until.max(claims.unchained_until),
            buffer: Vec::new(),
        }
    }

    /// Looks at the next event.
    pub fn event(&mut self, event: &StoredEvent) {
        self.events += 1;
        let (record, stored) = match (event.record(), event.hash.as_deref().map(Digest::try_from)) {
            (Some(record), Some(Ok(stored))) => (record, stored),
            _ => return self.without_hash(event),
        };
        let (writer, place) =
            (record.writer, Place { id: record.id, at_millis: record.at_millis, sequence: record.sequence });
        let claims: &'a Claims = self.claims;
        let claim = claims.writers.get(&writer);
        let before = self.traces.get(&writer);
        if let Some(before) = before
            && place.sequence <= before.last.sequence
        {
            let message = format!("event {} of its writer comes after event {}", place.sequence, before.last.sequence);
            return self.found(What::Reordered, place, writer, message);
        }
        let previous = self.previous(writer, place, claim);
        let before = self.traces.get(&writer);
        let computed = previous.map(|previous| record.link(&previous, &mut self.buffer));
        let instead = before.and_then(|before| before.instead).filter(|_| previous.is_some());
        let is_right = computed.is_none_or(|computed| computed == stored)
            || instead.is_some_and(|instead| record.link(&instead, &mut self.buffer) == stored);
        let resumed = before.is_some_and(|before| place.id.millis() - before.last.id.millis() > SILENCE_MILLIS);
        if !is_right {
            let message = if place.sequence == 1 {
                "it was changed, or its writer had not the key".to_owned()
            } else {
                "it was changed, or the one before it in its chain".to_owned()
            };
            self.found(What::Changed, place, writer, message);
        }
        if resumed {
            let message = "it continues a chain that had been silent for more than an hour, which no writer does";
            self.found(What::Appended, place, writer, message.to_owned());
        }
        if let Some(epoch) =
            claims.epoch.as_ref().filter(|epoch| place.sequence == 1 && epoch.writers.contains(&writer))
        {
            self.first_of_before(&record, epoch, place);
        }
        let claim = claim.unwrap_or(&NOTHING);
        for mark in claim.marks_at(place.sequence).filter(|mark| mark.hash.0 != stored) {
            let message = format!(
                "the events of this writer up to this one are not those that checkpoint {} was signed for",
                mark.number
            );
            self.problems.push(Found::at(What::Rewritten, place, writer, message));
        }
        if let Some(end) = claim.ended_at.filter(|end| place.sequence > *end) {
            let message = format!("it was added after its writer had ended with event {end}");
            self.found(What::Appended, place, writer, message);
        }
        let instead = computed.filter(|computed| *computed != stored);
        self.trace(writer, place, stored, instead, place.sequence > claim.stated());
    }

    /// Compares the first event of a chain from before a lost key with what it was when the trail began anew.
    fn first_of_before(&mut self, record: &Record<'_>, epoch: &Epoch, place: Place) {
        match epoch.first_events.get(&record.writer) {
            None => self.unproved_first_events += 1,
            Some(hash) if hash.0 == record.alone(&mut self.buffer) => {}
            Some(_) => {
                let number = epoch.number;
                let message =
                    format!("it is not the event that checkpoint {number} was signed for when the trail began anew");
                self.found(What::Changed, place, record.writer, message);
            }
        }
    }

    /// The hash that an event follows.
    fn previous(&mut self, writer: Id, place: Place, claim: Option<&Claim>) -> Option<Digest> {
        let pruned = claim.and_then(|claim| claim.pruned);
        match self.traces.get(&writer) {
            Some(before) if place.sequence == before.last.sequence + 1 => before.hash,
            Some(before) => {
                let after = before.hash.map(|hash| (before.last, hash));
                let from = before.last.sequence + 1;
                self.gap(Gap { writer, after, from, to: place.sequence - 1, before: place });
                None
            }
            None if place.sequence == 1 => {
                let is_of_before = self.claims.epoch.as_ref().is_some_and(|epoch| epoch.writers.contains(&writer));
                self.key.filter(|_| !is_of_before).map(|key| key.seed(writer).0)
            }
            None => match pruned {
                Some(pruned) if pruned.sequence + 1 == place.sequence => Some(pruned.hash.0),
                Some(pruned) if place.sequence <= pruned.sequence => None,
                _ if self.extent == Extent::Part => None,
                pruned => {
                    let from = pruned.map_or(1, |pruned| pruned.sequence + 1);
                    self.gap(Gap { writer, after: None, from, to: place.sequence - 1, before: place });
                    None
                }
            },
        }
    }

    fn gap(&mut self, gap: Gap) {
        if self.gaps.len() < TOLD {
            self.gaps.push(gap);
        } else {
            self.problems.push(Self::missing(&gap));
        }
    }

    fn trace(&mut self, writer: Id, place: Place, hash: Digest, instead: Option<Digest>, is_unstated: bool) {
        let fresh =
            Trace { first: place, last: place, events: 0, unstated: 0, unstated_from: None, hash: None, instead: None };
        let trace = self.traces.entry(writer).or_insert(fresh);
        trace.last = place;
        trace.events += 1;
        (trace.hash, trace.instead) = (Some(hash), instead);
        if !is_unstated {
            return;
        }
        trace.unstated += 1;
        let from = *trace.unstated_from.get_or_insert(place);
        if place.id.millis() < self.claims.swept_millis {
            let message = "no checkpoint speaks of it, although all events of its time were looked for and signed";
            self.found(What::Unstated, place, writer, message.to_owned());
        } else if place.id.millis() - from.id.millis() > UNSTATED_MILLIS {
            let message = "no checkpoint speaks of its writer's events of the last half hour";
            self.found(What::Unstated, place, writer, message.to_owned());
        }
    }

    fn without_hash(&mut self, event: &StoredEvent) {
        let id = <[u8; 16]>::try_from(event.id.as_slice()).ok().map(Id::from_bytes);
        if event.hash.is_none() && id.is_some() && id <= self.unchained_until {
            self.unchained += 1;
            return;
        }
        let message = "it has no place in a chain, as every event has that this server wrote".to_owned();
        let (what, at_millis) = (What::Unchained, event.at_millis);
        let problem = Found { what, message, id, at_millis, writer: None, sequence: event.sequence, checkpoint: None };
        self.problems.push(problem);
    }

    fn found(&mut self, what: What, place: Place, writer: Id, message: String) {
        self.problems.push(Found::at(what, place, writer, message));
    }

    /// Looks again at what was not seen at first: `late` are the events of the gap's writer between its two neighbours, as
    /// they are now.
    pub fn is_filled(gap: &Gap, late: &[StoredEvent]) -> bool {
        let Some((_, mut hash)) = gap.after else { return false };
        let mut next = gap.from;
        let mut buffer = Vec::new();
        for event in late {
            let Some(record) = event.record().filter(|record| record.sequence == next) else { return false };
            hash = record.link(&hash, &mut buffer);
            if event.hash.as_deref() != Some(&hash) {
                return false;
            }
            next += 1;
        }
        next == gap.to + 1
    }

    /// What is missing of a gap that was neither filled nor removed as too old.
    pub fn missing(gap: &Gap) -> Found {
        let message = match gap.after {
            Some((after, _)) => {
                format!(
                    "events {} to {} of this writer are missing, between {} and this one",
                    gap.from, gap.to, after.id
                )
            }
            None => format!("events {} to {} of this writer are missing before this one", gap.from, gap.to),
        };
        Found::at(What::Missing, gap.before, gap.writer, message)
    }

    /// After the last event: whether each chain goes as far as was signed.
    pub fn check_ends(&mut self) {
        let mut missing = Vec::new();
        for (writer, claim) in &self.claims.writers {
            let Some(mark) = claim.marks.last().filter(|mark| mark.sequence > claim.pruned_to()) else { continue };
            let number = mark.number;
            match self.traces.get(writer) {
                Some(trace) if trace.last.sequence >= mark.sequence => {}
                Some(trace) => {
                    let message = format!(
                        "events {} to {} of this writer are missing after this one; checkpoint {number} was signed for them",
                        trace.last.sequence + 1,
                        mark.sequence
                    );
                    missing.push(Found::at(What::Missing, trace.last, *writer, message));
                }
                None if self.extent == Extent::Part => {}
                None => {
                    let message = format!(
                        "all events of writer {writer} are missing, up to number {}; checkpoint {number} was signed for them",
                        mark.sequence
                    );
                    missing.push(Found {
                        what: What::Missing,
                        message,
                        id: None,
                        at_millis: writer.millis(),
                        writer: Some(*writer),
                        sequence: Some(mark.sequence),
                        checkpoint: Some(number),
                    });
                }
            }
        }
        missing.sort_by_key(|found| (found.at_millis, found.writer));
        missing.into_iter().for_each(|found| self.problems.push(found));
    }
}

static NOTHING: Claim = Claim { pruned: None, marks: Vec::new(), ended_at: None };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::claims::Read;
    use crate::domain::chain::{Checkpoint, Hash, Head, Sealed, Stage};

    fn event(outcome: &str, hash: Option<Digest>) -> StoredEvent {
        StoredEvent {
            id: vec![2; 16],
            at_millis: 9,
            kind: "token_issued".to_owned(),
            outcome: outcome.to_owned(),
            client_id: None,
            subject_hash: None,
            address: None,
            request_id: None,
            detail: None,
            writer: Some(vec![1; 16]),
            sequence: Some(1),
            reason: None,
            operator: None,
            hash: hash.map(|hash| hash.to_vec()),
        }
    }

    /// What is found of a first event from before a lost key, and how many of these the checkpoint leaves unproved.
    fn found(walked: &StoredEvent, states_it: bool) -> (u64, u64) {
        let (lost, key) = (ChainKey::new(&[7; 32]), ChainKey::new(&[8; 32]));
        let writer = Id::from_bytes([1; 16]);
        let original = event("success", None);
        let record = original.record().expect("a record");
        let hash = record.link(&lost.seed(writer).0, &mut Vec::new());
        let head = |hash| Head { writer, sequence: 1, hash: Hash(hash), stage: Stage::Ended };
        let checkpoint = Checkpoint {
            heads: vec![head(hash)],
            first_events: if states_it { vec![head(record.alone(&mut Vec::new()))] } else { Vec::new() },
            lost_key_until: Some(0),
            ..Checkpoint::after(None, 5)
        };
        let sealed: Sealed = key.seal(&checkpoint);
        let (mut claims, mut problems) = (Claims::default(), Problems::default());
        claims.add(&sealed, Some(&key), Read::Before, &mut problems);
        let mut walk = Walk::new(&claims, Some(&key), Extent::Whole, None);
        walk.event(&StoredEvent { hash: Some(hash.to_vec()), ..walked.clone() });
        walk.check_ends();
        (problems.count + walk.problems.count, walk.unproved_first_events)
    }

    #[test]
    fn a_first_event_from_before_a_lost_key_is_what_it_was_or_is_called_unproved() {
        let (original, changed) = (event("success", None), event("failure", None));
        assert_eq!(found(&original, true), (0, 0));
        assert_eq!(found(&changed, true), (1, 0));
        assert_eq!(
            (found(&original, false), found(&changed, false)),
            ((0, 1), (0, 1)),
            "a checkpoint without first events"
        );
    }
}
