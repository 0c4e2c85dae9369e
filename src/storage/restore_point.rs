//! The moment of a restore: nothing single-use or revocable from before it counts any more.
//!
//! A restored database has forgotten what was consumed and revoked after the backup. It cannot know which rows those
//! were, so that all of them end: a lost login is repaired by a login, a revived credential by nothing.

use diesel::prelude::*;

use super::conn::on;
use super::schema::{
    access_tokens, api_keys, clients, codes, consents, device_codes, grants, one_time_links, refresh_tokens, sessions,
    users,
};
use super::{Conn, StorageError, Tx};
use crate::domain::{ClientStatus, UserStatus};
use crate::support::Seconds;

const NAME: &str = "restore_point";
/// No access token lives for longer: `[tokens] access_token_seconds` has this maximum.
const LONGEST_ACCESS_TOKEN: Seconds = 86400;

/// How many of each a restore point ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Families, and with them all that came of them.
    pub grants: usize,
    pub refresh_tokens: usize,
    pub access_tokens: usize,
    pub codes: usize,
    pub device_codes: usize,
    pub sessions: usize,
    pub links: usize,
    /// Remembered consents; people are asked again.
    pub consents: usize,
}

/// What an operator has to look through who knows that something was disabled after the backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Active {
    pub clients: i64,
    pub users: i64,
    pub api_keys: i64,
}

/// The last restore point, in Unix seconds; `None` if nothing was ever restored.
pub fn get(conn: &mut Conn) -> Result<Option<Seconds>, StorageError> {
    let text = super::settings::get(conn, NAME)?;
    let invalid = |text: &str| crate::domain::InvalidRow {
        table: "settings",
        key: NAME.to_owned(),
        why: format!("{text:?} is no time"),
    };
    text.map(|text| text.parse().map_err(|_| invalid(&text).into())).transpose()
}

/// Writes a restore point and ends what is older. Doing it again ends what came since, and nothing more.
pub fn set(tx: &mut Tx<'_>, now: Seconds) -> Result<Ended, StorageError> {
    let at = get(tx.reader())?.map_or(now, |before| before.max(now)).to_string();
    super::settings::set(tx, NAME, &at)?;
    let conn = tx.writer()?;
    if let Conn::Postgres(_) = conn {
        // As many rows as there are, once: this is no request that somebody waits for.
        conn.batch("SET LOCAL statement_timeout = 0")?;
    }
    on!(conn, c => {
        // What has a flag for its end gets it. Codes and refresh tokens end by their time instead: the flag that they
        // have says that they were used, and whoever comes with one would be reported as a thief.
        Ok(Ended {
            grants: diesel::update(grants::table.filter(grants::revoked_at.is_null()))
                .set(grants::revoked_at.eq(now))
                .execute(c)?,
            refresh_tokens: diesel::update(
                refresh_tokens::table
                    .filter(refresh_tokens::consumed_at.is_null())
                    .filter(refresh_tokens::expires_at.gt(now)))
                .set(refresh_tokens::expires_at.eq(now))
                .execute(c)?,
            access_tokens: diesel::update(
                access_tokens::table
                    .filter(access_tokens::revoked_at.is_null())
                    .filter(access_tokens::expires_at.gt(now - LONGEST_ACCESS_TOKEN)))
                .set(access_tokens::revoked_at.eq(now))
                .execute(c)?,
            codes: diesel::update(
                codes::table.filter(codes::consumed_at.is_null()).filter(codes::expires_at.gt(now)))
                .set(codes::expires_at.eq(now))
                .execute(c)?,
            device_codes: diesel::update(
                device_codes::table.filter(device_codes::ended_at.is_null()).filter(device_codes::expires_at.gt(now)))
                .set(device_codes::expires_at.eq(now))
                .execute(c)?,
            sessions: diesel::update(sessions::table.filter(sessions::ended_at.is_null()))
                .set(sessions::ended_at.eq(now))
                .execute(c)?,
            links: diesel::update(one_time_links::table.filter(one_time_links::consumed_at.is_null()))
                .set(one_time_links::consumed_at.eq(now))
                .execute(c)?,
            consents: diesel::delete(consents::table).execute(c)?,
        })
    })
}

/// How many clients and people are active, and how many API keys were not revoked.
pub fn active(conn: &mut Conn) -> Result<Active, StorageError> {
    on!(conn, c => Ok(Active {
        clients: clients::table.filter(clients::status.eq(ClientStatus::Active.as_str())).count().get_result(c)?,
        users: users::table.filter(users::status.eq(UserStatus::Active.as_str())).count().get_result(c)?,
        api_keys: api_keys::table.filter(api_keys::revoked_at.is_null()).count().get_result(c)?,
    }))
}
