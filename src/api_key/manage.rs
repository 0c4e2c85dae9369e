//! Creating, rotating and revoking API keys, with their limits and their events.

use serde_json::json;

use crate::app::RequestInfo;
use crate::audit::{Event, EventKind};
use crate::config::{self, Config};
use crate::domain::{
    ApiKey, ApiKeyStage, Client, ClientStatus, GrantStage, InvalidApiKey, KeyOwner, NOT_FOR_KEYS, Scopes, UserStatus,
};
use crate::storage::{Conn, StorageError, Tx, WriteError, api_keys, clients, grants, users};
use crate::support::{ApiKeyText, Clock, Id, Network, Rng, Seconds};

/// What somebody wants a new key to be.
#[derive(Debug, Clone)]
pub struct Wish {
    pub owner: KeyOwner,
    pub name: String,
    pub scope: Scopes,
    /// The APIs it is for.
    pub audience: Vec<String>,
    pub networks: Vec<Network>,
    /// Uses a minute.
    pub rate_limit: Option<u32>,
    /// Seconds that it lasts.
    pub expires_in: Option<Seconds>,
}

/// The access token by which a key is made or renewed: the key is no wider than that in any way.
#[derive(Debug, Clone)]
pub struct Parent {
    /// The family that the key is a child of; none where a client acts for itself.
    pub grant_id: Option<Id>,
    pub scope: Scopes,
    pub audience: Vec<String>,
}

/// Who manages keys, for the trail; a request's, or the operator at the command line.
#[derive(Debug, Clone)]
pub struct Actor {
    pub clock: Clock,
    pub rng: Rng,
    pub request: Option<RequestInfo>,
}

/// The audiences that a key may have without a client that is registered for them.
#[derive(Debug, Clone)]
pub struct OwnAudiences {
    pub issuer: String,
    /// Those of the apps behind forward authentication, which the operator named. A person may have a key for them.
    pub gate: Vec<String>,
}

impl OwnAudiences {
    pub fn of(config: &Config) -> Self {
        let gate = &config.gatekeeper;
        let named = Some(&gate.audience).filter(|audience| !audience.is_empty());
        Self {
            issuer: config.server.issuer.clone(),
            gate: named.into_iter().chain(&gate.allowed_origins).cloned().collect(),
        }
    }
}

/// How many keys an owner may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The operator knows what they do.
    None,
    /// Keys that are neither revoked nor expired, and keys made in 24 hours, whatever became of them.
    Of { live: usize, a_day: usize },
}

impl Limit {
    pub fn configured(config: &config::ApiKeys) -> Self {
        Self::Of { live: config.max_per_owner, a_day: config.max_made_per_day }
    }
}

const DAY: Seconds = 86_400;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// A parameter is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidApiKey),
    /// A person's key names no API. One of a client could still be looked up by the client itself.
    #[error("audience {NO_API}")]
    NoApi,
    /// There is no such owner, or it is not active.
    #[error("the owner does not exist or is not active")]
    Owner,
    /// There is no such key, or it is somebody else's.
    #[error("there is no such API key")]
    NotFound,
    /// It was revoked or has expired.
    #[error("the API key was revoked or has expired; create another")]
    Ended,
    /// Somebody else was at it at the same moment.
    #[error("somebody else rotated or revoked the API key at the same moment")]
    Raced,
    /// What the person allowed the app ended a moment ago.
    #[error("what the person allowed this app has ended")]
    FamilyEnded,
    /// The owner has as many as it may.
    #[error("there are {0} API keys that count, and there cannot be more; revoke one first")]
    TooMany(i64),
    /// The owner made as many in the last 24 hours as it may.
    #[error(
        "{most} API keys were made in the last 24 hours, and there cannot be more; the next can be made in {seconds} s"
    )]
    TooManyToday { most: i64, seconds: Seconds },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What is wrong with the audience of a person's key that has none.
pub const NO_API: &str = "must name at least one API, because a key of a person works only at the APIs that it names";

impl WriteError for Unfit {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}

fn invalid<T>(parameter: &'static str, why: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit::Invalid(InvalidApiKey { parameter, why: why.into() }))
}

/// All scopes that a key of this owner may have. `None`: there is no such owner, or it is not active.
pub fn may_have(conn: &mut Conn, owner: &KeyOwner) -> Result<Option<Scopes>, StorageError> {
    let scope = match owner {
        KeyOwner::Client(client_id) => active_client(conn, client_id)?.map(|client| client.scope),
        KeyOwner::Person(user_id) => {
            let user = users::find(conn, *user_id)?.filter(|user| user.status == UserStatus::Active);
            user.map(|_| api_keys::registered(conn)).transpose()?
        }
    };
    Ok(scope.map(|scope| NOT_FOR_KEYS.iter().fold(scope, |scope, never| scope.without(never))))
}

fn active_client(conn: &mut Conn, client_id: &str) -> Result<Option<Client>, StorageError> {
    Ok(clients::find(conn, client_id)?.filter(|client| client.status == ClientStatus::Active))
}

/// Whether a key of this owner may be for an API.
fn may_use(conn: &mut Conn, owner: &KeyOwner, api: &str, own: &OwnAudiences) -> Result<bool, StorageError> {
    match owner {
        KeyOwner::Client(client_id) => {
            let client = active_client(conn, client_id)?;
            Ok(client.is_some_and(|client| client.audiences.iter().any(|known| known == api)))
        }
        KeyOwner::Person(_) if own.gate.iter().any(|known| known == api) => Ok(true),
        KeyOwner::Person(_) => clients::is_api(conn, api),
    }
}

/// Holds a key within what it is made or renewed by (RFC 9700 §2.3), and makes it a child of that.
fn keep_within(tx: &mut Tx<'_>, key: &mut ApiKey, parent: &Parent, now: Seconds) -> Result<(), Unfit> {
    if let Some(beyond) = key.scope.iter().find(|name| !parent.scope.contains(name)) {
        return invalid("scope", format!("has {beyond}, which the access token does not have"));
    }
    if let Some(beyond) = key.audience.iter().find(|api| !parent.audience.contains(api)) {
        return invalid("audience", format!("has {beyond}, which the access token is not for"));
    }
    let Some(id) = parent.grant_id else { return Ok(()) };
    let grant =
        grants::find(tx.reader(), id)?.filter(|grant| grant.stage == GrantStage::Live && grant.expires_at > now);
    let grant = grant.ok_or(Unfit::FamilyEnded)?;
    key.grant_id = Some(id);
    key.expires_at = Some(key.expires_at.map_or(grant.expires_at, |at| at.min(grant.expires_at)));
    Ok(())
}

/// Makes a key, by an access token of `parent` or by the owner. The text is to be shown once: nobody can read it again.
pub fn create(
    tx: &mut Tx<'_>,
    actor: &Actor,
    wish: &Wish,
    parent: Option<&Parent>,
    own: &OwnAudiences,
    limit: Limit,
) -> Result<(ApiKey, ApiKeyText), Unfit> {
    let now = actor.clock.now();
    let text = ApiKeyText::new(&actor.clock, &actor.rng);
    let mut audience = wish.audience.clone();
    audience.sort();
    audience.dedup();
    let mut key = ApiKey {
        id: text.id(),
        secret_hash: text.digest().to_vec(),
        previous: None,
        name: wish.name.trim().to_owned(),
        owner: wish.owner.clone(),
        grant_id: None,
        scope: wish.scope.clone(),
        audience,
        networks: wish.networks.clone(),
        rate_limit: wish.rate_limit,
        created_at: now,
        rotated_at: None,
        expires_at: wish.expires_in.map(|seconds| now.saturating_add(seconds)),
        stage: ApiKeyStage::Live,
        last_use: None,
    };
    key.validate()?;
    if let Some(parent) = parent {
        keep_within(tx, &mut key, parent, now)?;
    }
    check_owner(tx.reader(), &key, own)?;
    if key.audience.is_empty() && matches!(key.owner, KeyOwner::Person(_)) {
        return Err(Unfit::NoApi);
    }
    check_limit(tx.reader(), &key.owner, limit, now)?;
    api_keys::insert(tx, &key)?;
    let detail = json!({
        "api_key": key.id.to_string(), "scope": key.scope.to_string(), "audience": key.audience,
        "expires_at": key.expires_at, "family": key.grant_id.map(|id| id.to_string()),
    });
    record(tx, actor, EventKind::ApiKeyCreated, &key, detail)?;
    Ok((key, text))
}

/// Both are counted by the database, whatever the number of keys that ended long ago.
fn check_limit(conn: &mut Conn, owner: &KeyOwner, limit: Limit, now: Seconds) -> Result<(), Unfit> {
    let Limit::Of { live, a_day } = limit else { return Ok(()) };
    let is_full = |count: i64, most: usize| usize::try_from(count).is_ok_and(|count| count >= most);
    let standing = api_keys::count_live(conn, owner, now)?;
    if is_full(standing, live) {
        return Err(Unfit::TooMany(standing));
    }
    let (made, first) = api_keys::made_since(conn, owner, now - DAY)?;
    if is_full(made, a_day) {
        let seconds = (first.unwrap_or(now) + DAY - now).clamp(1, DAY);
        return Err(Unfit::TooManyToday { most: made, seconds });
    }
    Ok(())
}

/// Never more than the owner has.
fn check_owner(conn: &mut Conn, key: &ApiKey, own: &OwnAudiences) -> Result<(), Unfit> {
    if let KeyOwner::Client(client_id) = &key.owner
        && clients::find(conn, client_id)?.is_some_and(|client| client.is_public())
    {
        return invalid("client", "is public: what everybody can read out of an app is no secret");
    }
    let Some(scope) = may_have(conn, &key.owner)? else { return Err(Unfit::Owner) };
    if let Some(beyond) = key.scope.iter().find(|name| !scope.contains(name)) {
        return invalid("scope", format!("has {beyond}, which its owner may not ask for"));
    }
    for api in key.audience.iter().filter(|api| **api != own.issuer) {
        if !may_use(conn, &key.owner, api, own)? {
            return invalid("audience", format!("has {api}, which its owner may not use"));
        }
    }
    Ok(())
}

/// Makes another secret for a key; the one before is taken for `overlap` seconds more. The key stays what it was, but that
/// one which is renewed by an access token of `parent` is held by that app from then on, and ends with what it was allowed.
pub fn rotate(
    tx: &mut Tx<'_>,
    actor: &Actor,
    key: &ApiKey,
    parent: Option<&Parent>,
    overlap: Seconds,
) -> Result<ApiKeyText, Unfit> {
    let now = actor.clock.now();
    if key.stage != ApiKeyStage::Live || key.is_expired(now) {
        return Err(Unfit::Ended);
    }
    let mut key = key.clone();
    if let Some(parent) = parent {
        keep_within(tx, &mut key, parent, now)?;
    }
    let text = ApiKeyText::renewed(key.id, &actor.rng);
    let until = (overlap > 0).then(|| now.saturating_add(overlap));
    if !api_keys::rotate(tx, &key, &text.digest(), until, now)? {
        return Err(Unfit::Raced);
    }
    let detail = json!({"api_key": key.id.to_string(), "previous_until": until});
    record(tx, actor, EventKind::ApiKeyRotated, &key, detail)?;
    Ok(text)
}

/// Takes a key back. From the commit on no node takes it. `false`: it was taken back before.
pub fn revoke(tx: &mut Tx<'_>, actor: &Actor, key: &ApiKey) -> Result<bool, StorageError> {
    let revoked = api_keys::revoke(tx, key.id, actor.clock.now())?;
    if revoked {
        record(tx, actor, EventKind::ApiKeyRevoked, key, json!({"api_key": key.id.to_string()}))?;
    }
    Ok(revoked)
}

fn record(
    tx: &mut Tx<'_>,
    actor: &Actor,
    kind: EventKind,
    key: &ApiKey,
    detail: serde_json::Value,
) -> Result<(), StorageError> {
    let event = Event::success(kind).detail(detail);
    let event = match &key.owner {
        KeyOwner::Client(client_id) => event.client(client_id),
        KeyOwner::Person(user_id) => event.subject(*user_id),
    };
    let event = actor.request.iter().fold(event, |event, info| event.request(info.address, info.id));
    event.record(tx, &actor.clock)
}

/// A key of this owner, by its id as somebody typed it.
pub fn own(conn: &mut Conn, owner: &KeyOwner, id: Id) -> Result<ApiKey, Unfit> {
    api_keys::find(conn, id)?.filter(|key| key.owner == *owner).ok_or(Unfit::NotFound)
}
