//! The table `access_tokens`, and the state that decides whether a token counts.

use diesel::prelude::*;

use super::conn::on;
use super::row::Place;
use super::schema::{access_tokens, clients, grants, refresh_tokens, users};
use super::{Conn, StorageError, Tx};
use crate::domain::{
    AccessToken, ClientStatus, GrantOrigin, GrantType, InvalidRow, Party, RefreshPolicy, Role, Scopes, UserStatus,
};
use crate::support::{Id, Seconds};

/// Everything that decides whether an issued access token still counts.
#[derive(Debug, Clone)]
pub struct TokenState {
    pub token: AccessToken,
    /// `None` while it counts; else why not.
    pub dead: Option<&'static str>,
    pub username: Option<String>,
    pub role: Option<Role>,
    pub user_id: Option<Id>,
    pub auth_time: Option<Seconds>,
    /// The refresh token that it came from could still be retried, and its client is held to the strict policy.
    pub retry_open: Option<Id>,
    /// The APIs that its client may still ask tokens for.
    pub client_audiences: Vec<String>,
    /// Whose app its client is.
    pub party: Party,
}

#[derive(Queryable)]
struct Row {
    jti: Vec<u8>,
    grant_id: Option<Vec<u8>>,
    client_id: String,
    subject: String,
    scope: String,
    audience: String,
    issued_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
    refreshed_from: Option<Vec<u8>>,
}

impl TryFrom<Row> for AccessToken {
    type Error = InvalidRow;

    fn try_from(row: Row) -> Result<Self, InvalidRow> {
        let place = Place { table: "access_tokens", key: format!("{:02x?}", row.jti) };
        Ok(Self {
            jti: place.id(row.jti)?,
            grant_id: place.optional_id(row.grant_id)?,
            client_id: row.client_id,
            subject: row.subject,
            scope: place.scopes(&row.scope)?,
            audience: Place::<String>::list(&row.audience),
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            refreshed_from: place.optional_id(row.refreshed_from)?,
        })
    }
}

/// The state of one token: its own row, its client's, its family's, its person's.
pub fn state(conn: &mut Conn, jti: Id, now: Seconds) -> Result<Option<TokenState>, StorageError> {
    let found = on!(conn, c => access_tokens::table
        .inner_join(clients::table.on(clients::client_id.eq(access_tokens::client_id)))
        .left_join(grants::table)
        .filter(access_tokens::jti.eq(jti.as_bytes().as_slice()))
        .select((
            access_tokens::all_columns,
            (
                clients::status,
                clients::grant_types,
                clients::scope,
                clients::audiences,
                clients::party,
                clients::refresh,
            ),
            (
                grants::revoked_at,
                grants::user_id,
                grants::auth_time,
                grants::scope,
                grants::refreshable,
                grants::origin,
            )
                .nullable(),
        ))
        .get_result::<(Row, ClientPart, Option<GrantPart>)>(c)
        .optional())?;
    let Some((row, client, grant)) = found else { return Ok(None) };
    let revoked = row.revoked_at.is_some();
    let party = Place { table: "clients", key: &row.client_id }.word(&client.4)?;
    let mut state = TokenState {
        token: AccessToken::try_from(row)?,
        dead: None,
        username: None,
        role: None,
        user_id: None,
        auth_time: None,
        retry_open: None,
        client_audiences: Place::<String>::list(&client.3),
        party,
    };
    if revoked {
        state.dead = Some("revoked");
    } else if state.token.grant_id.is_some() && grant.is_none() {
        state.dead = Some("its family is gone");
    } else if state.token.expires_at <= now {
        state.dead = Some("expired");
    } else {
        state.dead = judge_client(&state.token.client_id, &state.token.scope, &client, grant.as_ref())?;
    }
    if let Some(grant) = grant {
        judge_grant(conn, &mut state, grant)?;
    }
    if client.5 == RefreshPolicy::Strict.as_str() {
        state.retry_open = open_retry(conn, &state.token)?;
    }
    Ok(Some(state))
}

/// Whether a family counts, by the same rules as for its tokens: then the APIs that its client may still ask tokens for.
pub(super) fn family_audiences(conn: &mut Conn, id: Id, now: Seconds) -> Result<Option<Vec<String>>, StorageError> {
    let found = on!(conn, c => grants::table
        .inner_join(clients::table.on(clients::client_id.eq(grants::client_id)))
        .filter(grants::id.eq(id.as_bytes().as_slice()))
        .filter(grants::expires_at.gt(now))
        .select((
            clients::client_id,
            (
                clients::status,
                clients::grant_types,
                clients::scope,
                clients::audiences,
                clients::party,
                clients::refresh,
            ),
            (
                grants::revoked_at,
                grants::user_id,
                grants::auth_time,
                grants::scope,
                grants::refreshable,
                grants::origin,
            ),
        ))
        .get_result::<(String, ClientPart, GrantPart)>(c)
        .optional())?;
    let Some((client_id, client, grant)) = found else { return Ok(None) };
    let dead = grant.0.is_some() || judge_client(&client_id, &Scopes::default(), &client, Some(&grant))?.is_some();
    Ok((!dead).then(|| Place::<String>::list(&client.3)))
}

/// Its status, its grants, its scope, its APIs, whose app it is, how its used refresh tokens are judged.
type ClientPart = (String, String, String, String, String, String);

/// When it was revoked, whose it is, when that person logged in, what they allowed, whether it has refresh tokens, how it
/// began.
type GrantPart = (Option<i64>, Vec<u8>, i64, String, bool, String);

/// Asked at every use rather than written down when a client is changed: a token that is being issued at that very
/// moment must not slip through.
fn judge_client(
    client_id: &str,
    token_scope: &Scopes,
    (status, grant_types, scope, _, party, _): &ClientPart,
    grant: Option<&GrantPart>,
) -> Result<Option<&'static str>, StorageError> {
    let place = Place { table: "clients", key: client_id };
    let may_use = |grant: GrantType| grant_types.split_whitespace().any(|name| name == grant.as_str());
    if *status != ClientStatus::Active.as_str() {
        return Ok(Some("its client is not active"));
    }
    let allowed = match grant {
        Some((.., scope, _, _)) => &place.scopes(scope)?,
        None => token_scope,
    };
    if !is_within(allowed, scope) {
        return Ok(Some("its client may ask for less since"));
    }
    let may = match grant {
        None => may_use(GrantType::ClientCredentials),
        Some((.., origin)) if *origin == GrantOrigin::FirstParty.as_str() => *party == Party::First.as_str(),
        Some((.., refreshable, origin)) => {
            let is_device = *origin == GrantOrigin::Device.as_str();
            let began_by = if is_device { GrantType::DeviceCode } else { GrantType::AuthorizationCode };
            may_use(began_by) && (!refreshable || may_use(GrantType::RefreshToken))
        }
    };
    if !may {
        return Ok(Some("its client may not use that grant any more"));
    }
    Ok(None)
}

fn is_within(scope: &Scopes, allowed: &str) -> bool {
    scope.iter().all(|scope| allowed.split(' ').any(|name| name == scope))
}

fn judge_grant(
    conn: &mut Conn,
    state: &mut TokenState,
    (revoked_at, user_id, auth_time, ..): GrantPart,
) -> Result<(), StorageError> {
    let user = on!(conn, c => users::table
        .find(&user_id)
        .select((users::username, users::status, users::role))
        .get_result::<(String, String, String)>(c)
        .optional())?;
    let place = Place { table: "grants", key: state.token.jti };
    state.user_id = Some(place.id(user_id)?);
    state.auth_time = Some(auth_time);
    if revoked_at.is_some() {
        state.dead = state.dead.or(Some("its family was revoked"));
    }
    match user {
        Some((username, status, role)) if status == UserStatus::Active.as_str() => {
            state.username = Some(username);
            state.role = Some(place.word(&role)?);
        }
        _ => state.dead = state.dead.or(Some("its user is not active")),
    }
    Ok(())
}

/// The refresh token whose use made this token, if that use can still be retried.
fn open_retry(conn: &mut Conn, token: &AccessToken) -> Result<Option<Id>, StorageError> {
    let Some(parent) = token.refreshed_from else { return Ok(None) };
    let open = on!(conn, c => refresh_tokens::table
        .find(parent.as_bytes().as_slice())
        .filter(refresh_tokens::successor.is_not_null())
        .count()
        .get_result::<i64>(c))?;
    Ok((open == 1).then_some(parent))
}

macro_rules! values {
    ($token:expr) => {
        (
            access_tokens::jti.eq($token.jti.as_bytes().as_slice()),
            access_tokens::grant_id.eq($token.grant_id.as_ref().map(|id| id.as_bytes().as_slice())),
            access_tokens::client_id.eq($token.client_id.as_str()),
            access_tokens::subject.eq($token.subject.as_str()),
            access_tokens::scope.eq($token.scope.to_string()),
            access_tokens::audience.eq($token.audience.join(" ")),
            access_tokens::issued_at.eq($token.issued_at),
            access_tokens::expires_at.eq($token.expires_at),
            access_tokens::refreshed_from.eq($token.refreshed_from.as_ref().map(|id| id.as_bytes().as_slice())),
        )
    };
}

pub fn insert(tx: &mut Tx<'_>, token: &AccessToken) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::insert_into(access_tokens::table).values(values!(token)).execute(c))?;
    Ok(())
}

/// One by one on SQLite, whose statement stays prepared; in one statement on PostgreSQL, where each costs a round trip.
pub(super) fn insert_many(tx: &mut Tx<'_>, tokens: &[&AccessToken]) -> Result<(), StorageError> {
    if tokens.is_empty() {
        return Ok(());
    }
    match tx.writer()? {
        Conn::Sqlite(c) => {
            for token in tokens {
                diesel::insert_into(access_tokens::table).values(values!(token)).execute(&mut **c)?;
            }
        }
        Conn::Postgres(c) => {
            let rows: Vec<_> = tokens.iter().map(|token| values!(token)).collect();
            diesel::insert_into(access_tokens::table).values(&rows).execute(&mut **c)?;
        }
    }
    Ok(())
}

/// Revokes one token; `true` if it was not yet.
pub fn revoke(tx: &mut Tx<'_>, jti: Id, now: Seconds) -> Result<bool, StorageError> {
    let revoked = on!(tx.writer()?, c => diesel::update(
        access_tokens::table.find(jti.as_bytes().as_slice()).filter(access_tokens::revoked_at.is_null()))
        .set(access_tokens::revoked_at.eq(now))
        .execute(c))?;
    Ok(revoked == 1)
}
