//! What is wrong with the trail, and where.

use crate::domain::words;
use crate::support::Id;

/// Problems that are told one by one: whoever changed a million events need not be told of each.
pub const TOLD: usize = 100;

words! {
    /// What somebody did to the trail.
    What {
        Changed = "changed",
        Missing = "missing",
        Reordered = "reordered",
        Unchained = "unchained",
        Rewritten = "rewritten",
        Appended = "appended",
        Unstated = "unstated",
        CheckpointChanged = "checkpoint_changed",
        CheckpointMissing = "checkpoint_missing",
        KeyMissing = "key_missing",
    }
}

/// Something that nobody who runs this server can have done by its means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub what: What,
    pub message: String,
    /// The event at which it shows.
    pub id: Option<Id>,
    pub at_millis: i64,
    pub writer: Option<Id>,
    pub sequence: Option<i64>,
    /// The checkpoint at which it shows.
    pub checkpoint: Option<i64>,
}

/// What was found: the first of it in full, all of it as a number.
#[derive(Debug, Default)]
pub struct Problems {
    pub told: Vec<Found>,
    pub count: u64,
}

impl Problems {
    pub fn push(&mut self, found: Found) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push(found);
        }
    }
}

impl Found {
    pub fn of_checkpoint(what: What, number: i64, at_millis: i64, message: String) -> Self {
        Self { what, message, id: None, at_millis, writer: None, sequence: None, checkpoint: Some(number) }
    }

    pub fn at(what: What, place: Place, writer: Id, message: String) -> Self {
        let Place { id, at_millis, sequence } = place;
        let (writer, sequence) = (Some(writer), Some(sequence));
        Self { what, message, id: Some(id), at_millis, writer, sequence, checkpoint: None }
    }
}

/// An event in its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub id: Id,
    pub at_millis: i64,
    pub sequence: i64,
}
