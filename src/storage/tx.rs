use std::collections::HashMap;

use super::{Conn, StorageError, access_tokens, audit_events, clients};
use crate::domain::AccessToken;
use crate::support::Seconds;

/// A connection inside a write transaction.
///
/// On SQLite many pieces of work share one transaction, each under a savepoint that is set only when it first writes.
pub struct Tx<'a> {
    conn: &'a mut Conn,
    shared: Shared,
    savepoint: Savepoint,
    seen: &'a mut Seen,
}

/// Whether other work lives in the same transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shared {
    Yes,
    No,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Savepoint {
    Unset,
    Set,
}

/// What was read under this transaction's lock and cannot have changed since.
#[derive(Default)]
pub(super) struct Seen {
    client_versions: HashMap<String, Option<i64>>,
}

impl<'a> Tx<'a> {
    pub(super) fn new(conn: &'a mut Conn, shared: Shared, seen: &'a mut Seen) -> Self {
        Self { conn, shared, savepoint: Savepoint::Unset, seen }
    }

    /// For reading inside the transaction.
    pub fn reader(&mut self) -> &mut Conn {
        self.conn
    }

    /// For writing: from here on the work can be undone on its own.
    pub(super) fn writer(&mut self) -> Result<&mut Conn, StorageError> {
        if self.shared == Shared::Yes && self.savepoint == Savepoint::Unset {
            self.conn.fixed("SAVEPOINT work")?;
            self.savepoint = Savepoint::Set;
        }
        Ok(self.conn)
    }

    /// Ends this piece of work: what it wrote stays.
    pub(super) fn keep(self) -> Result<(), StorageError> {
        if self.savepoint == Savepoint::Set {
            self.conn.fixed("RELEASE work")?;
        }
        Ok(())
    }

    /// Ends this piece of work: what it wrote is gone. Without a savepoint the caller rolls the whole back.
    pub(super) fn undo(self) -> Result<(), StorageError> {
        self.seen.client_versions.clear();
        if self.savepoint == Savepoint::Set {
            self.conn.batch("ROLLBACK TO work; RELEASE work")?;
        }
        Ok(())
    }

    /// The version at which an active client stands now, or `None` if there is no active client of that name. Asked
    /// once a transaction on SQLite, whose lock keeps the answer true until the commit.
    pub fn client_version(&mut self, client_id: &str) -> Result<Option<i64>, StorageError> {
        if let Some(version) = self.seen.client_versions.get(client_id) {
            return Ok(*version);
        }
        let version = clients::active_version(self.conn, client_id)?;
        if matches!(self.conn, Conn::Sqlite(_)) {
            self.seen.client_versions.insert(client_id.to_owned(), version);
        }
        Ok(version)
    }

    /// To be called by whatever changes a client.
    pub(super) fn forget_client(&mut self, client_id: &str) {
        self.seen.client_versions.remove(client_id);
    }
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
pub(super) fn issue_all(
    conn: &mut Conn,
    seen: &mut Seen,
    issues: &[&Issue],
    now: Seconds,
) -> Result<Vec<Issued>, StorageError> {
    let _ = now;
    let mut tx = Tx::new(conn, Shared::No, seen);
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
