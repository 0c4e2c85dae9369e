//! The servers that use this database: what all must have in common, and what each runs with.

use diesel::prelude::*;

use super::conn::on;
use super::schema::{access_tokens, clients, grants, nodes, sessions};
use super::{Conn, StorageError, Tx};
use crate::domain::ClientStatus;
use crate::support::{Id, Seconds};

/// The setting that holds the issuer to which the database belongs.
pub const ISSUER_PIN: &str = "issuer";
/// The setting that holds the fingerprint of the encryption key.
pub const ENCRYPTION_KEY_PIN: &str = "encryption_key";

/// A server, as it told of itself last.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Node {
    pub id: Vec<u8>,
    pub version: String,
    pub started_at: Seconds,
    pub seen_at: Seconds,
    /// A JSON object of the settings that all should share.
    pub settings: String,
}

/// Tells of a server, and forgets those of which nothing was heard since `forget_before`.
pub fn tell(tx: &mut Tx<'_>, node: &Node, forget_before: Seconds) -> Result<(), StorageError> {
    on!(tx.writer()?, c => {
        diesel::insert_into(nodes::table)
            .values((
                nodes::id.eq(&node.id),
                nodes::version.eq(&node.version),
                nodes::started_at.eq(node.started_at),
                nodes::seen_at.eq(node.seen_at),
                nodes::settings.eq(&node.settings),
            ))
            .on_conflict(nodes::id)
            .do_update()
            .set(nodes::seen_at.eq(node.seen_at))
            .execute(c)?;
        diesel::delete(nodes::table.filter(nodes::seen_at.lt(forget_before))).execute(c)?;
    });
    Ok(())
}

/// The servers of which something was heard since, but for one.
pub fn others(conn: &mut Conn, own: Option<Id>, since: Seconds) -> Result<Vec<Node>, StorageError> {
    let own = own.map_or_else(Vec::new, |own| own.as_bytes().to_vec());
    Ok(on!(conn, c => nodes::table
        .filter(nodes::seen_at.ge(since))
        .filter(nodes::id.ne(own))
        .order(nodes::started_at)
        .load(c))?)
}

/// Who stops working when the issuer changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Affected {
    /// Active clients.
    pub clients: Vec<String>,
    pub grants: i64,
    pub access_tokens: i64,
    pub sessions: i64,
}

pub fn affected(conn: &mut Conn, now: Seconds) -> Result<Affected, StorageError> {
    on!(conn, c => Ok(Affected {
        clients: clients::table
            .filter(clients::status.eq(ClientStatus::Active.as_str()))
            .order(clients::client_id)
            .select(clients::client_id)
            .load(c)?,
        grants: grants::table
            .filter(grants::revoked_at.is_null())
            .filter(grants::expires_at.gt(now))
            .count()
            .get_result(c)?,
        access_tokens: access_tokens::table
            .filter(access_tokens::revoked_at.is_null())
            .filter(access_tokens::expires_at.gt(now))
            .count()
            .get_result(c)?,
        sessions: sessions::table
            .filter(sessions::ended_at.is_null())
            .filter(sessions::expires_at.gt(now))
            .count()
            .get_result(c)?,
    }))
}
