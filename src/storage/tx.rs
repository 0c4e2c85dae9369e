//! A write transaction as work sees it, and how one piece of work in a group is undone.

use super::new_event::NewEvent;
use super::writer::{Link, Memory, Place, Seen};
use super::{Conn, StorageError};

/// A connection inside a write transaction.
///
/// On SQLite many pieces of work share one transaction. Almost all of them keep what they write, so that none sets a
/// savepoint; if one must be undone after all, the whole group is, and runs again with savepoints.
pub struct Tx<'a> {
    conn: &'a mut Conn,
    undo: Undo,
    wrote: Wrote,
    began_at: Place,
    memory: &'a mut Memory,
}

/// How one piece of work can be undone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Undo {
    /// With the transaction, in which it is alone or which is to run again.
    Whole,
    /// By a savepoint, set when it first writes.
    Savepoint,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrote {
    Nothing,
    Something,
}

impl<'a> Tx<'a> {
    pub(super) fn new(conn: &'a mut Conn, undo: Undo, memory: &'a mut Memory) -> Self {
        Self { conn, undo, wrote: Wrote::Nothing, began_at: memory.place(), memory }
    }

    /// For reading inside the transaction.
    pub fn reader(&mut self) -> &mut Conn {
        self.conn
    }

    /// For writing: from here on the work can be undone on its own.
    pub(super) fn writer(&mut self) -> Result<&mut Conn, StorageError> {
        if self.wrote == Wrote::Nothing {
            if self.undo == Undo::Savepoint {
                self.conn.fixed("SAVEPOINT work")?;
            }
            self.wrote = Wrote::Something;
        }
        Ok(self.conn)
    }

    /// Chains an audit event that is about to be written.
    pub(super) fn link<'e>(&'e mut self, event: &'e NewEvent) -> Result<Link<'e>, StorageError> {
        self.memory.link(event)
    }

    /// Chains an audit event, and the connection to write it with.
    pub(super) fn link_and_writer<'e>(
        &'e mut self,
        event: &'e NewEvent,
    ) -> Result<(Link<'e>, &'e mut Conn), StorageError> {
        self.writer()?;
        Ok((self.memory.link(event)?, &mut *self.conn))
    }

    /// Ends this piece of work: what it wrote stays.
    pub(super) fn keep(self) -> Result<(), StorageError> {
        if self.undo == Undo::Savepoint && self.wrote == Wrote::Something {
            self.conn.fixed("RELEASE work")?;
        }
        Ok(())
    }

    /// Ends this piece of work: what it wrote is to be gone. Tells whether only undoing the whole transaction does that.
    pub(super) fn undo(self) -> Result<Undone, StorageError> {
        self.memory.rolled_back(self.began_at);
        match (self.wrote, self.undo) {
            (Wrote::Nothing, _) => Ok(Undone::Yes),
            (Wrote::Something, Undo::Whole) => Ok(Undone::OnlyWithTheWhole),
            (Wrote::Something, Undo::Savepoint) => {
                self.conn.batch("ROLLBACK TO work; RELEASE work")?;
                Ok(Undone::Yes)
            }
        }
    }

    /// What was read under this transaction's lock and cannot have changed since.
    pub(super) fn seen(&mut self) -> &mut Seen {
        &mut self.memory.seen
    }
}

/// What became of a piece of work that was to be undone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Undone {
    Yes,
    OnlyWithTheWhole,
}
