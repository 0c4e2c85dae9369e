//! What the database threads of one process know of the audit trail's chains together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::StorageError;
use crate::domain::chain::{ChainKey, Hash, Head, Stage};
use crate::support::Id;

/// The key, who acts where nobody else does, and how far each writer of this process has come.
#[derive(Default)]
pub struct Chain {
    key: OnceLock<ChainKey>,
    locked_because: OnceLock<String>,
    operator: OnceLock<String>,
    writers: Mutex<HashMap<Id, Writer>>,
    /// The number of the last checkpoint that this process knows of.
    last_checkpoint: AtomicI64,
}

/// A writer of this process.
#[derive(Debug, Clone, Copy)]
struct Writer {
    /// Its last event that is certainly committed.
    sequence: i64,
    hash: Hash,
    /// Up to where a checkpoint has stated it.
    stated: i64,
    life: Life,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    Ended,
    /// Whether its last transaction was committed is not known.
    Uncertain,
}

impl Chain {
    /// Events can be recorded from now on. Once a process; later keys are ignored.
    pub fn unlock(&self, key: ChainKey) {
        let _ = self.key.set(key);
    }

    /// Why events cannot be recorded, for whoever tries.
    pub fn stays_locked(&self, why: impl Into<String>) {
        let _ = self.locked_because.set(why.into());
    }

    /// Who acts in events that name nobody: the person at the command line.
    pub fn set_operator(&self, name: String) {
        let _ = self.operator.set(name);
    }

    pub fn operator(&self) -> Option<&str> {
        self.operator.get().map(String::as_str)
    }

    /// # Errors
    /// Without the key nothing is recorded, so that what would have to be recorded is not done.
    pub fn key(&self) -> Result<&ChainKey, StorageError> {
        self.key.get().ok_or_else(|| {
            let why = self.locked_because.get().map_or("it was not opened", String::as_str);
            StorageError::Unavailable(format!("the audit trail has no key: {why}"))
        })
    }

    /// A transaction was committed in which `writer` came so far.
    pub(super) fn advanced(&self, writer: Id, sequence: i64, hash: Hash) {
        let mut writers = self.writers();
        let known = writers.entry(writer).or_insert(Writer { sequence, hash, stated: 0, life: Life::Running });
        (known.sequence, known.hash) = (sequence, hash);
    }

    /// A writer is followed by another.
    pub(super) fn ended(&self, writer: Id) {
        self.end(writer, Life::Ended);
    }

    /// A writer is followed by another, and may have written more than is known.
    pub(super) fn uncertain(&self, writer: Id) {
        self.end(writer, Life::Uncertain);
    }

    fn end(&self, writer: Id, life: Life) {
        if let Some(known) = self.writers().get_mut(&writer) {
            known.life = life;
        }
    }

    /// The database threads have ended.
    pub(super) fn all_ended(&self) {
        for writer in self.writers().values_mut().filter(|writer| writer.life == Life::Running) {
            writer.life = Life::Ended;
        }
    }

    /// What no checkpoint has stated yet.
    pub(super) fn unstated(&self) -> Vec<Head> {
        let writers = self.writers();
        let news = writers.iter().filter(|(_, writer)| writer.sequence > writer.stated || writer.life == Life::Ended);
        let head = |(id, writer): (&Id, &Writer)| {
            let stage = if writer.life == Life::Ended { Stage::Ended } else { Stage::Open };
            Head { writer: *id, sequence: writer.sequence, hash: writer.hash, stage }
        };
        let mut heads: Vec<Head> = news.map(head).collect();
        heads.sort_by_key(|head| head.writer);
        heads
    }

    /// A checkpoint with these heads is stored.
    pub(super) fn stated(&self, number: i64, heads: &[Head]) {
        self.last_checkpoint.fetch_max(number, Ordering::Relaxed);
        let mut writers = self.writers();
        for head in heads {
            if let Some(writer) = writers.get_mut(&head.writer) {
                writer.stated = writer.stated.max(head.sequence);
            }
        }
        // Who has ended without being said to have ended stays until that is said.
        let is_done = |id: &Id, writer: &Writer| match writer.life {
            Life::Running => false,
            Life::Ended => heads.iter().any(|head| head.writer == *id && head.stage == Stage::Ended),
            Life::Uncertain => writer.stated >= writer.sequence,
        };
        writers.retain(|id, writer| !is_done(id, writer));
    }

    /// The writers of this process.
    pub fn own(&self) -> Vec<Id> {
        self.writers().keys().copied().collect()
    }

    /// The number of the last checkpoint that this process has seen; 0 before the first.
    pub fn last_checkpoint(&self) -> i64 {
        self.last_checkpoint.load(Ordering::Relaxed)
    }

    fn writers(&self) -> MutexGuard<'_, HashMap<Id, Writer>> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
