//! The table `api_keys`, and the state that decides whether a key counts.

use std::net::IpAddr;

use diesel::prelude::*;

use super::cached::update;
use super::cleanup::first_id_at;
use super::conn::on;
use super::row::Place;
use super::schema::{api_keys, clients, grants, scopes, users};
use super::{Conn, StorageError, Tx, access_tokens};
use crate::domain::{ApiKey, ApiKeyStage, ClientStatus, InvalidRow, KeyOwner, LastUse, Role, Scopes, UserStatus};
use crate::support::{Digest, Id, Network, Seconds};

/// A key with all of its owner that decides what it may do now.
#[derive(Debug, Clone)]
pub struct KeyState {
    pub key: ApiKey,
    /// `None` if the owner is gone or was taken out of service.
    pub standing: Option<Standing>,
    pub family: FamilyStanding,
}

/// How the family of tokens stands by which a key was made.
#[derive(Debug, Clone)]
pub enum FamilyStanding {
    NeverHadOne,
    /// With the APIs that its client may still ask tokens for.
    Stands(Vec<String>),
    Ended,
}

/// What the owner of a key may do now.
#[derive(Debug, Clone)]
pub enum Standing {
    Client { scope: Scopes, audiences: Vec<String> },
    Person { username: String, role: Role, password_changed_at: Seconds, registered: Scopes },
}

#[derive(Queryable)]
struct Row {
    id: Vec<u8>,
    secret_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    previous_until: Option<i64>,
    name: String,
    client_id: Option<String>,
    user_id: Option<Vec<u8>>,
    scope: String,
    audience: String,
    networks: String,
    rate_limit: Option<i64>,
    created_at: i64,
    rotated_at: Option<i64>,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    last_used_at: Option<i64>,
    last_used_address: Option<String>,
    grant_id: Option<Vec<u8>>,
}

impl TryFrom<Row> for ApiKey {
    type Error = InvalidRow;

    fn try_from(row: Row) -> Result<Self, InvalidRow> {
        let place = Place { table: "api_keys", key: format!("{:02x?}", row.id) };
        let owner = match (row.client_id, row.user_id) {
            (Some(client_id), None) => KeyOwner::Client(client_id),
            (None, Some(user_id)) => KeyOwner::Person(place.id(user_id)?),
            _ => return Err(place.invalid("not exactly one owner")),
        };
        let networks = Place::<String>::list(&row.networks);
        let rate = row.rate_limit.map(|rate| u32::try_from(rate).map_err(|e| place.invalid(e))).transpose()?;
        Ok(Self {
            id: place.id(row.id)?,
            secret_hash: row.secret_hash,
            previous: row.previous_hash.zip(row.previous_until),
            name: row.name,
            owner,
            grant_id: place.optional_id(row.grant_id)?,
            scope: place.scopes(&row.scope)?,
            audience: Place::<String>::list(&row.audience),
            networks: networks
                .iter()
                .map(|net| Network::stored(net).map_err(|e| place.invalid(e)))
                .collect::<Result<_, _>>()?,
            rate_limit: rate,
            created_at: row.created_at,
            rotated_at: row.rotated_at,
            expires_at: row.expires_at,
            stage: row.revoked_at.map_or(ApiKeyStage::Live, |at| ApiKeyStage::Revoked { at }),
            last_use: row.last_used_at.map(|at| LastUse { at, address: row.last_used_address }),
        })
    }
}

type ClientPart = (String, String, String);
type PersonPart = (String, String, String, i64);

/// One key, whatever has become of it.
pub fn find(conn: &mut Conn, id: Id) -> Result<Option<ApiKey>, StorageError> {
    let row = on!(conn, c => api_keys::table.find(id.as_bytes().as_slice()).get_result::<Row>(c).optional())?;
    Ok(row.map(ApiKey::try_from).transpose()?)
}

/// One key with its owner, as both are now.
pub fn state(conn: &mut Conn, id: Id, now: Seconds) -> Result<Option<KeyState>, StorageError> {
    let found = on!(conn, c => api_keys::table
        .left_join(clients::table.on(clients::client_id.nullable().eq(api_keys::client_id)))
        .left_join(users::table.on(users::id.nullable().eq(api_keys::user_id)))
        .filter(api_keys::id.eq(id.as_bytes().as_slice()))
        .select((
            api_keys::all_columns,
            (clients::status, clients::scope, clients::audiences).nullable(),
            (users::status, users::username, users::role, users::password_changed_at).nullable(),
        ))
        .get_result::<(Row, Option<ClientPart>, Option<PersonPart>)>(c)
        .optional())?;
    let Some((row, client, person)) = found else { return Ok(None) };
    let key = ApiKey::try_from(row)?;
    let place = Place { table: "api_keys", key: key.id };
    let family = match key.grant_id {
        None => FamilyStanding::NeverHadOne,
        Some(id) => {
            access_tokens::family_audiences(conn, id, now)?.map_or(FamilyStanding::Ended, FamilyStanding::Stands)
        }
    };
    let standing = match (client, person) {
        (Some((status, scope, audiences)), None) if status == ClientStatus::Active.as_str() => {
            Some(Standing::Client { scope: place.scopes(&scope)?, audiences: Place::<String>::list(&audiences) })
        }
        (None, Some((status, username, role, password_changed_at))) if status == UserStatus::Active.as_str() => {
            let role = place.word(&role)?;
            Some(Standing::Person { username, role, password_changed_at, registered: registered(conn)? })
        }
        _ => None,
    };
    Ok(Some(KeyState { key, standing, family }))
}

/// The scopes that exist: what a person can allow.
pub fn registered(conn: &mut Conn) -> Result<Scopes, StorageError> {
    let names: Vec<String> = on!(conn, c => scopes::table.select(scopes::name).load(c))?;
    Ok(names.into_iter().collect())
}

/// Keys of one owner or of all, the newest first.
pub fn list(conn: &mut Conn, owner: Option<&KeyOwner>) -> Result<Vec<ApiKey>, StorageError> {
    let rows = on!(conn, c => match owner {
        None => api_keys::table.order(api_keys::id.desc()).load::<Row>(c),
        Some(KeyOwner::Client(client_id)) => api_keys::table
            .filter(api_keys::client_id.eq(client_id))
            .order(api_keys::id.desc())
            .load::<Row>(c),
        Some(KeyOwner::Person(user_id)) => api_keys::table
            .filter(api_keys::user_id.eq(user_id.as_bytes().as_slice()))
            .order(api_keys::id.desc())
            .load::<Row>(c),
    })?;
    Ok(rows.into_iter().map(ApiKey::try_from).collect::<Result<_, _>>()?)
}

/// Runs one query for the keys of a client or of a person: each has an index of its own.
macro_rules! owned {
    ($owner:expr, $of:ident => $query:expr) => {
        match $owner {
            KeyOwner::Client(client_id) => {
                let $of = api_keys::client_id.eq(client_id.as_str());
                $query
            }
            KeyOwner::Person(user_id) => {
                let $of = api_keys::user_id.eq(user_id.as_bytes().as_slice());
                $query
            }
        }
    };
}

/// At most `limit` keys of one owner, the newest first, older than the key `before`.
pub fn page(conn: &mut Conn, owner: &KeyOwner, before: Option<Id>, limit: i64) -> Result<Vec<ApiKey>, StorageError> {
    let before = before.map_or([u8::MAX; 16], |id| *id.as_bytes());
    let rows = on!(conn, c => owned!(owner, of => api_keys::table
        .filter(of)
        .filter(api_keys::id.lt(before.as_slice()))
        .order(api_keys::id.desc())
        .limit(limit)
        .load::<Row>(c)))?;
    Ok(rows.into_iter().map(ApiKey::try_from).collect::<Result<_, _>>()?)
}

/// The keys of one owner that were not revoked, the newest first and at most `limit`.
pub fn list_standing(conn: &mut Conn, owner: &KeyOwner, limit: i64) -> Result<Vec<ApiKey>, StorageError> {
    let rows = on!(conn, c => owned!(owner, of => api_keys::table
        .filter(of)
        .filter(api_keys::revoked_at.is_null())
        .order(api_keys::id.desc())
        .limit(limit)
        .load::<Row>(c)))?;
    Ok(rows.into_iter().map(ApiKey::try_from).collect::<Result<_, _>>()?)
}

/// How many keys of an owner are neither revoked nor expired. Two counts, because each is a range of the index.
pub fn count_live(conn: &mut Conn, owner: &KeyOwner, now: Seconds) -> Result<i64, StorageError> {
    let for_ever: i64 = on!(&mut *conn, c => owned!(owner, of => api_keys::table
        .filter(of)
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::expires_at.is_null())
        .count()
        .get_result(c)))?;
    let for_a_time: i64 = on!(conn, c => owned!(owner, of => api_keys::table
        .filter(of)
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::expires_at.gt(now))
        .count()
        .get_result(c)))?;
    Ok(for_ever + for_a_time)
}

/// How many keys an owner has made since a moment, and when the first of them.
pub fn made_since(conn: &mut Conn, owner: &KeyOwner, since: Seconds) -> Result<(i64, Option<Seconds>), StorageError> {
    let first = first_id_at(since);
    Ok(on!(conn, c => owned!(owner, of => api_keys::table
        .filter(of)
        .filter(api_keys::id.ge(first.as_slice()))
        .select((diesel::dsl::count_star(), diesel::dsl::min(api_keys::created_at)))
        .get_result(c)))?)
}

/// How many keys of a person still stand.
pub fn count_live_of_user(conn: &mut Conn, user_id: Id, now: Seconds) -> Result<i64, StorageError> {
    Ok(on!(conn, c => api_keys::table
        .filter(api_keys::user_id.eq(user_id.as_bytes().as_slice()))
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::expires_at.is_null().or(api_keys::expires_at.gt(now)))
        .count()
        .get_result(c))?)
}

pub fn insert(tx: &mut Tx<'_>, key: &ApiKey) -> Result<(), StorageError> {
    let (client_id, user_id) = match &key.owner {
        KeyOwner::Client(client_id) => (Some(client_id.as_str()), None),
        KeyOwner::Person(user_id) => (None, Some(user_id.as_bytes().as_slice())),
    };
    let networks: Vec<String> = key.networks.iter().map(ToString::to_string).collect();
    on!(tx.writer()?, c => diesel::insert_into(api_keys::table)
        .values((
            api_keys::id.eq(key.id.as_bytes().as_slice()),
            api_keys::secret_hash.eq(&key.secret_hash),
            api_keys::name.eq(&key.name),
            api_keys::client_id.eq(client_id),
            api_keys::user_id.eq(user_id),
            api_keys::scope.eq(key.scope.to_string()),
            api_keys::audience.eq(key.audience.join(" ")),
            api_keys::networks.eq(networks.join(" ")),
            api_keys::rate_limit.eq(key.rate_limit.map(i64::from)),
            api_keys::created_at.eq(key.created_at),
            api_keys::expires_at.eq(key.expires_at),
            api_keys::grant_id.eq(key.grant_id.as_ref().map(|id| id.as_bytes().as_slice())),
        ))
        .execute(c))?;
    Ok(())
}

/// Puts another secret in the place of the one that was read; that one is taken until `previous_until`, if there is such a time. The key
/// gets the family and the expiry of `key`. `false`: it was revoked or rotated meanwhile.
pub fn rotate(
    tx: &mut Tx<'_>,
    key: &ApiKey,
    secret: &Digest,
    previous_until: Option<Seconds>,
    now: Seconds,
) -> Result<bool, StorageError> {
    let previous = previous_until.map(|_| key.secret_hash.as_slice());
    let rotated = on!(tx.writer()?, c => diesel::update(
        api_keys::table
            .find(key.id.as_bytes().as_slice())
            .filter(api_keys::revoked_at.is_null())
            .filter(api_keys::secret_hash.eq(&key.secret_hash)))
        .set((
            api_keys::secret_hash.eq(secret.as_slice()),
            api_keys::previous_hash.eq(previous),
            api_keys::previous_until.eq(previous_until),
            api_keys::rotated_at.eq(now),
            api_keys::grant_id.eq(key.grant_id.as_ref().map(|id| id.as_bytes().as_slice())),
            api_keys::expires_at.eq(key.expires_at),
        ))
        .execute(c))?;
    Ok(rotated == 1)
}

/// Takes a key back for good; `true` if it was not yet.
pub fn revoke(tx: &mut Tx<'_>, id: Id, now: Seconds) -> Result<bool, StorageError> {
    let revoked = on!(tx.writer()?, c => diesel::update(
        api_keys::table.find(id.as_bytes().as_slice()).filter(api_keys::revoked_at.is_null()))
        .set(api_keys::revoked_at.eq(now))
        .execute(c))?;
    Ok(revoked == 1)
}

/// Takes back the keys that were made by a family of tokens.
pub(super) fn revoke_for_grant(tx: &mut Tx<'_>, grant_id: Id, now: Seconds) -> Result<usize, StorageError> {
    Ok(on!(tx.writer()?, c => diesel::update(
        api_keys::table
            .filter(api_keys::grant_id.eq(grant_id.as_bytes().as_slice()))
            .filter(api_keys::revoked_at.is_null()))
        .set(api_keys::revoked_at.eq(now))
        .execute(c))?)
}

/// Takes back the keys of a person that were made by families of tokens which have ended.
pub(super) fn revoke_for_ended_grants(tx: &mut Tx<'_>, user_id: Id, now: Seconds) -> Result<usize, StorageError> {
    let ended = || {
        grants::table
            .filter(grants::user_id.eq(user_id.as_bytes().as_slice()))
            .filter(grants::revoked_at.is_not_null())
            .select(grants::id.nullable())
    };
    Ok(on!(tx.writer()?, c => diesel::update(
        api_keys::table
            .filter(api_keys::user_id.eq(user_id.as_bytes().as_slice()))
            .filter(api_keys::grant_id.eq_any(ended()))
            .filter(api_keys::revoked_at.is_null()))
        .set(api_keys::revoked_at.eq(now))
        .execute(c))?)
}

/// Takes back all keys of a person.
pub fn revoke_for_user(tx: &mut Tx<'_>, user_id: Id, now: Seconds) -> Result<usize, StorageError> {
    Ok(on!(tx.writer()?, c => diesel::update(
        api_keys::table
            .filter(api_keys::user_id.eq(user_id.as_bytes().as_slice()))
            .filter(api_keys::revoked_at.is_null()))
        .set(api_keys::revoked_at.eq(now))
        .execute(c))?)
}

/// Writes down a use, unless a later one is known from another node.
pub fn note_use(tx: &mut Tx<'_>, id: Id, at: Seconds, address: Option<IpAddr>) -> Result<(), StorageError> {
    on!(tx.writer()?, c => update(
        api_keys::table,
        (
            api_keys::last_used_at.eq(Some(at)),
            api_keys::last_used_address.eq(address.map(|address| address.to_string())),
        ),
        api_keys::id
            .eq(id.as_bytes().as_slice())
            .and(api_keys::last_used_at.is_null().or(api_keys::last_used_at.assume_not_null().lt(at))),
    )
    .execute(c))?;
    Ok(())
}
