//! The table `grants`.

use diesel::prelude::*;
use diesel::sql_types::Text;

use super::cached::update;
use super::conn::on;
use super::row::Place;
use super::schema::{access_tokens, grants};
use super::{Conn, StorageError, Tx, api_keys, sessions};
use crate::domain::{Grant, GrantOrigin, GrantStage, InvalidRow, OFFLINE_ACCESS, Renewal};
use crate::support::{Id, Seconds};

#[derive(Queryable)]
pub(super) struct Row {
    id: Vec<u8>,
    client_id: String,
    user_id: Vec<u8>,
    session_id: Option<Vec<u8>>,
    scope: String,
    resources: String,
    nonce: Option<String>,
    auth_time: i64,
    created_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
    used_at: Option<i64>,
    refreshable: bool,
    origin: String,
}

impl TryFrom<Row> for Grant {
    type Error = InvalidRow;

    fn try_from(row: Row) -> Result<Self, InvalidRow> {
        let place = Place { table: "grants", key: format!("{:02x?}", row.id) };
        Ok(Self {
            id: place.id(row.id)?,
            client_id: row.client_id,
            user_id: place.id(row.user_id)?,
            session_id: place.optional_id(row.session_id)?,
            scope: place.scopes(&row.scope)?,
            resources: Place::<String>::list(&row.resources),
            nonce: row.nonce,
            auth_time: row.auth_time,
            created_at: row.created_at,
            expires_at: row.expires_at,
            renewal: if row.refreshable { Renewal::Refreshable } else { Renewal::Once },
            used_at: row.used_at.unwrap_or(row.created_at),
            origin: place.word(&row.origin)?,
            stage: row.revoked_at.map_or(GrantStage::Live, |at| GrantStage::Revoked { at }),
        })
    }
}

pub fn insert(tx: &mut Tx<'_>, grant: &Grant) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::insert_into(grants::table)
        .values((
            grants::id.eq(grant.id.as_bytes().as_slice()),
            grants::client_id.eq(&grant.client_id),
            grants::user_id.eq(grant.user_id.as_bytes().as_slice()),
            grants::session_id.eq(grant.session_id.as_ref().map(|id| id.as_bytes().as_slice())),
            grants::scope.eq(grant.scope.to_string()),
            grants::resources.eq(grant.resources.join(" ")),
            grants::nonce.eq(&grant.nonce),
            grants::auth_time.eq(grant.auth_time),
            grants::created_at.eq(grant.created_at),
            grants::expires_at.eq(grant.expires_at),
            grants::used_at.eq(grant.used_at),
            grants::refreshable.eq(grant.renewal == Renewal::Refreshable),
            grants::origin.eq(grant.origin.as_str()),
        ))
        .execute(c))?;
    Ok(())
}

/// The family that an access token came of.
pub fn find_by_token(conn: &mut Conn, jti: Id) -> Result<Option<Grant>, StorageError> {
    let row = on!(conn, c => access_tokens::table
        .inner_join(grants::table)
        .filter(access_tokens::jti.eq(jti.as_bytes().as_slice()))
        .select(grants::all_columns)
        .get_result::<Row>(c)
        .optional())?;
    Ok(row.map(Grant::try_from).transpose()?)
}

pub fn find(conn: &mut Conn, id: Id) -> Result<Option<Grant>, StorageError> {
    let row = on!(conn, c => grants::table.find(id.as_bytes().as_slice()).get_result::<Row>(c).optional())?;
    Ok(row.map(Grant::try_from).transpose()?)
}

/// Writes down that a family was used.
pub fn note_use(tx: &mut Tx<'_>, id: Id, now: Seconds) -> Result<(), StorageError> {
    on!(tx.writer()?, c => update(grants::table, grants::used_at.eq(now), grants::id.eq(id.as_bytes().as_slice()))
        .execute(c))?;
    Ok(())
}

/// Writes down that a family gets no refresh tokens after all.
pub fn never_refreshes(tx: &mut Tx<'_>, id: Id) -> Result<(), StorageError> {
    on!(tx.writer()?, c => update(grants::table, grants::refreshable.eq(false), grants::id.eq(id.as_bytes().as_slice()))
        .execute(c))?;
    Ok(())
}

/// Revokes one family; `true` if it was live. Everything that came of it is refused from then on. The session of a
/// first-party login, which is there for its family alone, ends with it.
pub fn revoke(tx: &mut Tx<'_>, grant: &Grant, now: Seconds) -> Result<bool, StorageError> {
    if let (GrantOrigin::FirstParty, Some(session)) = (grant.origin, grant.session_id) {
        sessions::end(tx, session, now)?;
    }
    let revoked = on!(tx.writer()?, c => diesel::update(
        grants::table.find(grant.id.as_bytes().as_slice()).filter(grants::revoked_at.is_null()))
        .set(grants::revoked_at.eq(now))
        .execute(c))?;
    if revoked == 1 {
        api_keys::revoke_for_grant(tx, grant.id, now)?;
    }
    Ok(revoked == 1)
}

/// Revokes all that a person allowed to one client.
pub fn revoke_for_client(tx: &mut Tx<'_>, user_id: Id, client_id: &str, now: Seconds) -> Result<usize, StorageError> {
    sessions::end_in_app(tx, user_id, client_id, now)?;
    let revoked = on!(tx.writer()?, c => diesel::update(
        grants::table
            .filter(grants::user_id.eq(user_id.as_bytes().as_slice()))
            .filter(grants::client_id.eq(client_id))
            .filter(grants::revoked_at.is_null()))
        .set(grants::revoked_at.eq(now))
        .execute(c))?;
    api_keys::revoke_for_ended_grants(tx, user_id, now)?;
    Ok(revoked)
}

/// Revokes all that a person ever allowed.
pub fn revoke_for_user(tx: &mut Tx<'_>, user_id: Id, now: Seconds) -> Result<usize, StorageError> {
    let revoked = on!(tx.writer()?, c => diesel::update(
        grants::table.filter(grants::user_id.eq(user_id.as_bytes().as_slice())).filter(grants::revoked_at.is_null()))
        .set(grants::revoked_at.eq(now))
        .execute(c))?;
    api_keys::revoke_for_ended_grants(tx, user_id, now)?;
    Ok(revoked)
}

diesel::define_sql_function! {
    fn replace(text: Text, from: Text, to: Text) -> Text;
}

/// What ends with its session: the tokens of a first-party login, and what was allowed in a session without
/// `offline_access`. The same as `!Grant::is_offline()`, for all rows at once.
macro_rules! ends_with_its_session {
    () => {{
        let padded = || " ".into_sql::<Text>().concat(grants::scope).concat(" ");
        grants::origin
            .eq(GrantOrigin::FirstParty.as_str())
            .or(grants::session_id.is_not_null().and(replace(padded(), format!(" {OFFLINE_ACCESS} "), "").eq(padded())))
    }};
}

/// Revokes what a person allowed in one session and what was not to outlive it.
pub fn revoke_for_session(tx: &mut Tx<'_>, user_id: Id, session_id: Id, now: Seconds) -> Result<usize, StorageError> {
    let revoked = on!(tx.writer()?, c => diesel::update(
        grants::table
            .filter(grants::user_id.eq(user_id.as_bytes().as_slice()))
            .filter(grants::session_id.eq(session_id.as_bytes().as_slice()))
            .filter(ends_with_its_session!())
            .filter(grants::revoked_at.is_null()))
        .set(grants::revoked_at.eq(now))
        .execute(c))?;
    api_keys::revoke_for_ended_grants(tx, user_id, now)?;
    Ok(revoked)
}

/// Revokes what a person allowed in all sessions, except perhaps one, and what was not to outlive them.
pub fn revoke_in_sessions(
    tx: &mut Tx<'_>,
    user_id: Id,
    except: Option<Id>,
    now: Seconds,
) -> Result<usize, StorageError> {
    let kept = except.map_or(Vec::new(), |id| id.as_bytes().to_vec());
    let revoked = on!(tx.writer()?, c => diesel::update(
        grants::table
            .filter(grants::user_id.eq(user_id.as_bytes().as_slice()))
            // First-party families of earlier versions are in no session.
            .filter(grants::session_id.is_null().or(grants::session_id.ne(kept.as_slice())))
            .filter(ends_with_its_session!())
            .filter(grants::revoked_at.is_null()))
        .set(grants::revoked_at.eq(now))
        .execute(c))?;
    api_keys::revoke_for_ended_grants(tx, user_id, now)?;
    Ok(revoked)
}

/// What a person allowed in one session goes on in another, after they proved again who they are.
pub fn move_to_session(tx: &mut Tx<'_>, user_id: Id, from: Id, to: Id) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::update(
        grants::table
            .filter(grants::user_id.eq(user_id.as_bytes().as_slice()))
            .filter(grants::session_id.eq(from.as_bytes().as_slice()))
            .filter(grants::revoked_at.is_null()))
        .set(grants::session_id.eq(to.as_bytes().as_slice()))
        .execute(c))?;
    Ok(())
}

/// When each client was last used by a person, whatever has become of the grants since.
pub fn last_uses(conn: &mut Conn, user_id: Id) -> Result<Vec<(String, Seconds)>, StorageError> {
    let rows: Vec<(String, Option<i64>, Option<i64>)> = on!(conn, c => grants::table
        .filter(grants::user_id.eq(user_id.as_bytes().as_slice()))
        .group_by(grants::client_id)
        .select((grants::client_id, diesel::dsl::max(grants::used_at), diesel::dsl::max(grants::created_at)))
        .load(c))?;
    Ok(rows.into_iter().filter_map(|(client, used, created)| Some((client, used.max(created)?))).collect())
}

/// How many families of a person still stand.
pub fn count_live(conn: &mut Conn, user_id: Id, now: Seconds) -> Result<i64, StorageError> {
    Ok(on!(conn, c => grants::table
        .filter(grants::user_id.eq(user_id.as_bytes().as_slice()))
        .filter(grants::revoked_at.is_null())
        .filter(grants::expires_at.gt(now))
        .count()
        .get_result(c))?)
}

/// The families of a person that still stand, newest first: for a page, a thousand at most.
pub fn list_live(conn: &mut Conn, user_id: Id, now: Seconds) -> Result<Vec<Grant>, StorageError> {
    let rows = on!(conn, c => grants::table
        .filter(grants::user_id.eq(user_id.as_bytes().as_slice()))
        .filter(grants::revoked_at.is_null())
        .filter(grants::expires_at.gt(now))
        .order(grants::id.desc())
        .limit(1000)
        .load::<Row>(c))?;
    Ok(rows.into_iter().map(Grant::try_from).collect::<Result<_, _>>()?)
}
