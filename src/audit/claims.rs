//! What the checkpoints say, put together: for each writer how far its chain must go.

use std::collections::{HashMap, HashSet};

use super::integrity_problem::{Found, Problems, What};
use crate::domain::chain::{ChainKey, Checkpoint, Hash, Sealed, Stage};
use crate::support::{Id, hex};

/// Marks kept of one writer. Where there are more, every second one goes: the last one proves all before it, the others
/// only tell where a chain was changed.
const MARKS: usize = 64;

/// A place that a checkpoint states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub sequence: i64,
    pub hash: Hash,
    /// The checkpoint's number.
    pub number: i64,
}

/// What is stated of one writer.
#[derive(Debug, Default)]
pub struct Claim {
    pub pruned: Option<Mark>,
    /// In the order of their sequence.
    pub marks: Vec<Mark>,
    /// Its last event, if it has ended.
    pub ended_at: Option<i64>,
}

impl Claim {
    /// Up to where its events are stated.
    pub fn stated(&self) -> i64 {
        let marked = self.marks.last().map_or(0, |mark| mark.sequence);
        self.pruned.map_or(marked, |pruned| marked.max(pruned.sequence))
    }

    pub fn pruned_to(&self) -> i64 {
        self.pruned.map_or(0, |mark| mark.sequence)
    }

    /// What a place must look like, as far as that is stated.
    pub fn marks_at(&self, sequence: i64) -> impl Iterator<Item = &Mark> {
        self.marks.iter().chain(&self.pruned).filter(move |mark| mark.sequence == sequence)
    }

    fn add(&mut self, mark: Mark) {
        if self.marks.last().is_some_and(|last| last.sequence >= mark.sequence) {
            return;
        }
        if self.marks.len() == MARKS {
            let mut keep = false;
            self.marks.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.marks.push(mark);
    }
}

/// All that is stated.
#[derive(Debug, Default)]
pub struct Claims {
    pub writers: HashMap<Id, Claim>,
    /// Events up to this one are from before the chain.
    pub unchained_until: Option<Id>,
    /// All events from before that moment are stated.
    pub swept_millis: i64,
    /// How many there are.
    pub count: u64,
    pub first: Option<i64>,
    pub last: Option<Sealed>,
    /// Checkpoints up to this one were signed with a key that was lost.
    pub lost_key_until: i64,
    /// Where the trail began anew after that.
    pub epoch: Option<Epoch>,
    /// When something was last removed as too old.
    pub removed_millis: Option<i64>,
    pruned_to: i64,
}

/// The checkpoint from which on there is another key. It states what was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    pub number: i64,
    pub at_millis: i64,
    /// Chains from before: the seed of their first event cannot be computed any more.
    pub writers: HashSet<Id>,
    /// What the first events of these chains were then, each hashed by itself.
    pub first_events: HashMap<Id, Hash>,
}

/// Whether a checkpoint was read before the events that it speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    Before,
    /// Only what it says of removals counts: there may be events that were not seen.
    After,
}

impl Claims {
    /// For what comes after these.
    pub fn following(claims: &Self) -> Self {
        Self { last: claims.last.clone(), lost_key_until: claims.lost_key_until, ..Self::default() }
    }

    /// Takes up the next checkpoint. Without the key its signature is not looked at.
    pub fn add(&mut self, sealed: &Sealed, key: Option<&ChainKey>, read: Read, problems: &mut Problems) {
        let opened = match key {
            Some(key) if sealed.number > self.lost_key_until => key.open(sealed),
            _ => sealed.read(),
        };
        let place = |what, message: String| Found::of_checkpoint(what, sealed.number, sealed.at_millis, message);
        let Some(checkpoint) = opened else {
            let message = format!("checkpoint {} is not one that was signed with this trail's key", sealed.number);
            problems.push(place(What::CheckpointChanged, message));
            return self.note(sealed);
        };
        if let Some(last) = &self.last {
            if sealed.number != last.number + 1 {
                let message =
                    format!("checkpoint {} and those up to {} are missing", last.number + 1, sealed.number - 1);
                problems.push(place(What::CheckpointMissing, message));
            } else if checkpoint.previous.map(|hash| hash.0.to_vec()).as_ref() != Some(&last.mac) {
                let message = format!("checkpoint {} does not follow checkpoint {}", sealed.number, last.number);
                problems.push(place(What::CheckpointChanged, message));
            }
        }
        self.take(&checkpoint, read);
        self.note(sealed);
    }

    fn take(&mut self, checkpoint: &Checkpoint, read: Read) {
        let number = checkpoint.number;
        if !checkpoint.pruned.is_empty() || checkpoint.pruned_checkpoints.is_some() {
            self.removed_millis = Some(checkpoint.at_millis);
        }
        if checkpoint.lost_key_until.is_some() && number > self.lost_key_until {
            // What nobody signed for does not say that later events need no chain.
            self.unchained_until = self.unchained_until.filter(|id| id.millis() <= checkpoint.at_millis);
            let writers = checkpoint.heads.iter().map(|head| head.writer).collect();
            let first_events = checkpoint.first_events.iter().map(|first| (first.writer, first.hash)).collect();
            self.epoch = Some(Epoch { number, at_millis: checkpoint.at_millis, writers, first_events });
        }
        for head in &checkpoint.pruned {
            let claim = self.writers.entry(head.writer).or_default();
            if claim.pruned_to() < head.sequence {
                claim.pruned = Some(Mark { sequence: head.sequence, hash: head.hash, number });
            }
        }
        self.pruned_to = self.pruned_to.max(checkpoint.pruned_checkpoints.unwrap_or(0));
        if read == Read::After {
            return;
        }
        for head in &checkpoint.heads {
            let claim = self.writers.entry(head.writer).or_default();
            claim.add(Mark { sequence: head.sequence, hash: head.hash, number });
            if head.stage == Stage::Ended {
                claim.ended_at = Some(head.sequence);
            }
        }
        self.unchained_until = self.unchained_until.max(checkpoint.unchained_until);
        self.swept_millis = self.swept_millis.max(checkpoint.swept_millis.unwrap_or(0));
    }

    fn note(&mut self, sealed: &Sealed) {
        self.count += 1;
        self.first.get_or_insert(sealed.number);
        self.last = Some(sealed.clone());
    }

    /// Up to where checkpoints are said to be removed.
    pub fn pruned_to(&self) -> i64 {
        self.pruned_to
    }

    /// After the last one: whether the first one that is there may be the first.
    /// `pruned_to` is what later ones say.
    pub fn check_beginning(&self, pruned_to: i64, problems: &mut Problems) {
        let (first, pruned_to) = (self.first.unwrap_or(1), self.pruned_to.max(pruned_to));
        if first > 1 && first - 1 > pruned_to {
            let message = format!("checkpoints {} to {} are missing", pruned_to + 1, first - 1);
            problems.push(Found::of_checkpoint(What::CheckpointMissing, first, 0, message));
        }
    }
}

/// The number and the signature of a checkpoint, as somebody noted them somewhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub number: i64,
    pub mac: String,
}

impl Receipt {
    pub fn of(sealed: &Sealed) -> Self {
        Self { number: sealed.number, mac: hex(&sealed.mac) }
    }

    /// Compares with a checkpoint that is there.
    pub fn check(&self, sealed: &Sealed, problems: &mut Problems) {
        if sealed.number == self.number && hex(&sealed.mac) != self.mac {
            let message = format!("checkpoint {} is another than the one that was noted", self.number);
            problems.push(Found::of_checkpoint(What::CheckpointChanged, self.number, sealed.at_millis, message));
        }
    }

    /// The one that was noted must have been there at some time.
    pub fn check_end(&self, last: i64, problems: &mut Problems) {
        if last < self.number {
            let message = format!(
                "the trail ends with checkpoint {last}, and it had come to {}: its end was cut off, or it was set back",
                self.number
            );
            problems.push(Found::of_checkpoint(What::CheckpointMissing, self.number, 0, message));
        }
    }
}

impl std::str::FromStr for Receipt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(number, mac)| Some((number.parse().ok()?, mac)));
        match parts {
            Some((number, mac)) if mac.len() == 64 => Ok(Self { number, mac: mac.to_owned() }),
            _ => Err("must be NUMBER:SIGNATURE, as `latchway audit verify` printed it".to_owned()),
        }
    }
}

impl std::fmt::Display for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.number, self.mac)
    }
}
