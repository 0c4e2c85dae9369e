//! A write transaction as work sees it, and how one piece of work in a group is undone.

use std::collections::HashMap;

use super::audit_events::NewEvent;
use super::writer::{Link, Memory, Place};
use super::{Conn, StorageError, access_tokens, audit_events, clients};
use crate::domain::AccessToken;

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

    /// The version at which an active client stands now, or `None` if there is no active client of that name. Asked
    /// once a transaction on SQLite, whose lock keeps the answer true until the commit.
    pub fn client_version(&mut self, client_id: &str) -> Result<Option<i64>, StorageError> {
        if let Some(version) = self.memory.seen.client_versions.get(client_id) {
            return Ok(*version);
        }
        let version = clients::active_version(self.conn, client_id)?;
        if matches!(self.conn, Conn::Sqlite(_)) {
            self.memory.seen.client_versions.insert(client_id.to_owned(), version);
        }
        Ok(version)
    }

    /// To be called by whatever changes a client.
    pub(super) fn forget_client(&mut self, client_id: &str) {
        self.memory.seen.client_versions.remove(client_id);
    }
}

/// What became of a piece of work that was to be undone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Undone {
    Yes,
    OnlyWithTheWhole,
}

/// An access token that needs nothing but its rows: no grant is changed, nothing is consumed.
#[derive(Debug, Clone)]
pub struct Issue {
    pub token: AccessToken,
    pub audit: audit_events::NewEvent,
    /// The client's version at which it was authenticated.
    pub client_version: i64,
}

/// What became of an [`Issue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issued {
    Yes,
    /// The client has changed or gone since it was read; read it again and decide again.
    ClientChanged,
}

/// Writes many tokens at once.
pub(super) fn issue_all(conn: &mut Conn, memory: &mut Memory, issues: &[&Issue]) -> Result<Vec<Issued>, StorageError> {
    let mut tx = Tx::new(conn, Undo::Whole, memory);
    let mut outcomes = Vec::with_capacity(issues.len());
    let mut tokens = Vec::with_capacity(issues.len());
    let mut events = Vec::with_capacity(issues.len());
    let mut versions: HashMap<&str, Option<i64>> = HashMap::new();
    for issue in issues {
        let client_id = issue.token.client_id.as_str();
        let version = match versions.get(client_id) {
            Some(version) => *version,
            None => {
                let version = tx.client_version(client_id)?;
                versions.insert(client_id, version);
                version
            }
        };
        if version == Some(issue.client_version) {
            tokens.push(&issue.token);
            events.push(&issue.audit);
            outcomes.push(Issued::Yes);
        } else {
            outcomes.push(Issued::ClientChanged);
        }
    }
    access_tokens::insert_many(&mut tx, &tokens)?;
    audit_events::insert_many(&mut tx, &events)?;
    Ok(outcomes)
}
