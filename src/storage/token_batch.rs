//! Access tokens that need nothing but their rows, written many at once.

use std::collections::HashMap;

use super::new_event::NewEvent;
use super::tx::{Tx, Undo};
use super::writer::Memory;
use super::{Conn, StorageError, access_tokens, audit_events};
use crate::domain::AccessToken;

/// An access token that needs nothing but its rows: no grant is changed, nothing is consumed.
#[derive(Debug, Clone)]
pub struct Issue {
    pub token: AccessToken,
    pub audit: NewEvent,
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
