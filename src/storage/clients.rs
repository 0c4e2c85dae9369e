//! The tables `clients` and `client_logos`.

use diesel::prelude::*;

use super::conn::on;
use super::row::Place;
use super::schema::{client_logos, clients};
use super::{Conn, StorageError, Tx};
use crate::domain::{AuthMethod, Client, ClientStatus, InvalidRow, RedirectUri};
use crate::support::Seconds;

#[derive(Queryable)]
struct Row {
    client_id: String,
    name: String,
    auth_method: String,
    secret_hash: Option<Vec<u8>>,
    previous_secret_hash: Option<Vec<u8>>,
    previous_secret_until: Option<i64>,
    redirect_uris: String,
    grant_types: String,
    scope: String,
    audiences: String,
    jwks: Option<String>,
    application_type: String,
    pkce: String,
    id_token_alg: Option<String>,
    client_uri: Option<String>,
    policy_uri: Option<String>,
    tos_uri: Option<String>,
    logo_type: Option<String>,
    status: String,
    version: i64,
    created_at: i64,
    updated_at: i64,
    party: String,
    resources: String,
    consent: String,
    method_check: String,
    assertion_audience: String,
    id_token_claims: String,
    refresh: String,
}

impl TryFrom<Row> for Client {
    type Error = InvalidRow;

    fn try_from(row: Row) -> Result<Self, InvalidRow> {
        let place = Place { table: "clients", key: row.client_id.clone() };
        Ok(Self {
            name: row.name,
            auth_method: place.word(&row.auth_method)?,
            secret_hash: row.secret_hash,
            previous_secret: row.previous_secret_hash.zip(row.previous_secret_until),
            redirect_uris: Place::<String>::list(&row.redirect_uris)
                .iter()
                .map(|uri| RedirectUri::register(uri).map_err(|e| place.invalid(e)))
                .collect::<Result<_, _>>()?,
            grant_types: row.grant_types.split_whitespace().map(|g| place.word(g)).collect::<Result<_, _>>()?,
            scope: place.scopes(&row.scope)?,
            audiences: Place::<String>::list(&row.audiences),
            resources: Place::<String>::list(&row.resources),
            jwks: row.jwks,
            application_type: place.word(&row.application_type)?,
            party: place.word(&row.party)?,
            pkce: place.word(&row.pkce)?,
            consent: place.word(&row.consent)?,
            method_check: place.word(&row.method_check)?,
            assertion_audience: place.word(&row.assertion_audience)?,
            id_token_claims: place.word(&row.id_token_claims)?,
            refresh: place.word(&row.refresh)?,
            id_token_alg: row.id_token_alg.as_deref().map(|alg| place.word(alg)).transpose()?,
            client_uri: row.client_uri,
            policy_uri: row.policy_uri,
            tos_uri: row.tos_uri,
            logo_type: row.logo_type,
            status: place.word(&row.status)?,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            client_id: row.client_id,
        })
    }
}

fn joined<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Every column but the key and the time of creation.
macro_rules! values {
    ($client:expr) => {
        (
            clients::name.eq(&$client.name),
            clients::auth_method.eq($client.auth_method.as_str()),
            clients::secret_hash.eq(&$client.secret_hash),
            clients::previous_secret_hash.eq($client.previous_secret.as_ref().map(|(hash, _)| hash)),
            clients::previous_secret_until.eq($client.previous_secret.as_ref().map(|(_, until)| *until)),
            clients::redirect_uris.eq(joined(&$client.redirect_uris)),
            clients::grant_types.eq(joined(&$client.grant_types)),
            clients::scope.eq($client.scope.to_string()),
            clients::audiences.eq($client.audiences.join(" ")),
            clients::resources.eq($client.resources.join(" ")),
            clients::jwks.eq(&$client.jwks),
            clients::application_type.eq($client.application_type.as_str()),
            clients::party.eq($client.party.as_str()),
            clients::pkce.eq($client.pkce.as_str()),
            clients::consent.eq($client.consent.as_str()),
            clients::method_check.eq($client.method_check.as_str()),
            clients::assertion_audience.eq($client.assertion_audience.as_str()),
            clients::id_token_claims.eq($client.id_token_claims.as_str()),
            clients::refresh.eq($client.refresh.as_str()),
            clients::id_token_alg.eq($client.id_token_alg.map(|alg| alg.as_str())),
            clients::client_uri.eq(&$client.client_uri),
            clients::policy_uri.eq(&$client.policy_uri),
            clients::tos_uri.eq(&$client.tos_uri),
            clients::logo_type.eq(&$client.logo_type),
            clients::status.eq($client.status.as_str()),
            clients::version.eq($client.version),
            clients::updated_at.eq($client.updated_at),
        )
    };
}

/// PostgreSQL refuses a whole query over a NUL in a text, and strangers choose this one.
fn cannot_be_stored(client_id: &str) -> bool {
    client_id.contains('\0')
}

/// The client of that id, whatever its status; a deleted one is as good as none.
pub fn find(conn: &mut Conn, client_id: &str) -> Result<Option<Client>, StorageError> {
    if cannot_be_stored(client_id) {
        return Ok(None);
    }
    let row = on!(conn, c => clients::table.find(client_id).get_result::<Row>(c).optional())?;
    let client = row.map(Client::try_from).transpose()?;
    Ok(client.filter(|client| client.status != ClientStatus::Deleted))
}

/// All clients that were not deleted, by name.
pub fn list(conn: &mut Conn) -> Result<Vec<Client>, StorageError> {
    let rows = on!(conn, c => clients::table
        .filter(clients::status.ne(ClientStatus::Deleted.as_str()))
        .order((clients::name, clients::client_id))
        .load::<Row>(c))?;
    Ok(rows.into_iter().map(Client::try_from).collect::<Result<_, _>>()?)
}

/// The redirect URIs of all active public clients, as they were registered. No other column is read.
pub fn public_redirect_uris(conn: &mut Conn) -> Result<Vec<String>, StorageError> {
    let joined: Vec<String> = on!(conn, c => clients::table
        .filter(clients::auth_method.eq(AuthMethod::None.as_str()))
        .filter(clients::status.eq(ClientStatus::Active.as_str()))
        .select(clients::redirect_uris)
        .load(c))?;
    Ok(joined.iter().flat_map(|uris| uris.split_whitespace()).map(str::to_owned).collect())
}

/// Whether an active client is this API, or may ask for tokens for it.
pub fn is_api(conn: &mut Conn, api: &str) -> Result<bool, StorageError> {
    if cannot_be_stored(api) || api.contains(char::is_whitespace) {
        return Ok(false);
    }
    let escaped = api.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    // A coarse filter by the database: the lists are separated by spaces, and SQLite's LIKE ignores case.
    let pattern = format!("%{escaped}%");
    let named = || {
        let asked = clients::audiences.like(pattern.clone()).escape('\\');
        asked.or(clients::resources.like(pattern.clone()).escape('\\'))
    };
    let lists: Vec<(String, String)> = on!(conn, c => clients::table
        .filter(clients::status.eq(ClientStatus::Active.as_str()))
        .filter(named())
        .select((clients::audiences, clients::resources))
        .distinct()
        .load(c))?;
    let has = |list: &str| list.split_whitespace().any(|known| known == api);
    Ok(lists.iter().any(|(audiences, resources)| has(audiences) || has(resources)))
}

/// The APIs of active clients, of which a person may choose: those of this many different lists at most.
pub fn apis(conn: &mut Conn, limit: i64) -> Result<Vec<String>, StorageError> {
    let lists: Vec<(String, String)> = on!(conn, c => clients::table
        .filter(clients::status.eq(ClientStatus::Active.as_str()))
        .filter(clients::audiences.ne("").or(clients::resources.ne("")))
        .select((clients::audiences, clients::resources))
        .distinct()
        .limit(limit)
        .load(c))?;
    let words = |text: &String| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    Ok(lists.iter().flat_map(|(audiences, resources)| [words(audiences), words(resources)].concat()).collect())
}

/// The version of a client, if it is active.
pub fn active_version(conn: &mut Conn, client_id: &str) -> Result<Option<i64>, StorageError> {
    Ok(on!(conn, c => clients::table
        .find(client_id)
        .filter(clients::status.eq(ClientStatus::Active.as_str()))
        .select(clients::version)
        .get_result::<i64>(c)
        .optional())?)
}

/// Adds a client. [`StorageError::Conflict`] if the id was ever used before.
pub fn insert(tx: &mut Tx<'_>, client: &Client) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::insert_into(clients::table)
        .values((
            clients::client_id.eq(&client.client_id),
            clients::created_at.eq(client.created_at),
            values!(client),
        ))
        .execute(c))?;
    tx.forget_client(&client.client_id);
    Ok(())
}

/// Writes a changed client, if it is still as it was read; the new version is one higher. `false`: somebody else
/// changed it meanwhile.
pub fn update(tx: &mut Tx<'_>, client: &Client, now: Seconds) -> Result<bool, StorageError> {
    let changed = Client { version: client.version + 1, updated_at: now, ..client.clone() };
    let written = on!(tx.writer()?, c => diesel::update(
        clients::table.find(&client.client_id).filter(clients::version.eq(client.version)))
        .set(values!(changed))
        .execute(c))?;
    tx.forget_client(&client.client_id);
    Ok(written == 1)
}

/// The logo of a client: content type and image.
pub fn logo(conn: &mut Conn, client_id: &str) -> Result<Option<(String, Vec<u8>)>, StorageError> {
    if cannot_be_stored(client_id) {
        return Ok(None);
    }
    Ok(on!(conn, c => client_logos::table
        .find(client_id)
        .select((client_logos::content_type, client_logos::image))
        .get_result(c)
        .optional())?)
}

pub fn put_logo(tx: &mut Tx<'_>, client_id: &str, content_type: &str, image: &[u8]) -> Result<(), StorageError> {
    on!(tx.writer()?, c => {
        diesel::delete(client_logos::table.find(client_id)).execute(c)?;
        diesel::insert_into(client_logos::table)
            .values((
                client_logos::client_id.eq(client_id),
                client_logos::content_type.eq(content_type),
                client_logos::image.eq(image),
            ))
            .execute(c)
    })?;
    Ok(())
}

impl Tx<'_> {
    /// The version at which an active client stands now, or `None` if there is no active client of that name. Asked
    /// once a transaction on SQLite, whose lock keeps the answer true until the commit.
    pub fn client_version(&mut self, client_id: &str) -> Result<Option<i64>, StorageError> {
        if let Some(version) = self.seen().client_versions.get(client_id) {
            return Ok(*version);
        }
        let version = active_version(self.reader(), client_id)?;
        if matches!(self.reader(), Conn::Sqlite(_)) {
            self.seen().client_versions.insert(client_id.to_owned(), version);
        }
        Ok(version)
    }

    /// To be called by whatever changes a client.
    pub(super) fn forget_client(&mut self, client_id: &str) {
        self.seen().client_versions.remove(client_id);
    }
}
