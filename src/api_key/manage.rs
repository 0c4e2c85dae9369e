use ipnet::IpNet;
use serde_json::json;

use crate::app::RequestInfo;
use crate::audit::{Event, EventKind};
use crate::config;
use crate::domain::{
    ApiKey, ApiKeyStage, Client, ClientStatus, InvalidApiKey, KeyOwner, NOT_FOR_KEYS, Scopes, UserStatus,
};
use crate::storage::{Conn, StorageError, Tx, WriteError, api_keys, clients, users};
use crate::support::{ApiKeyText, Clock, Id, Rng, Seconds};

/// What somebody wants a new key to be.
#[derive(Debug, Clone)]
pub struct Wish {
    pub owner: KeyOwner,
    pub name: String,
    pub scope: Scopes,
    /// The APIs it is for; none in particular means this server and what it guards.
    pub audience: Vec<String>,
    pub networks: Vec<IpNet>,
    /// Uses a minute.
    pub rate_limit: Option<u32>,
    /// Seconds that it lasts.
    pub expires_in: Option<Seconds>,
}

/// Who manages keys, for the trail; a request's, or the operator at the command line.
#[derive(Debug, Clone)]
pub struct Actor {
    pub clock: Clock,
    pub rng: Rng,
    pub request: Option<RequestInfo>,
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
fn may_use(conn: &mut Conn, owner: &KeyOwner, api: &str) -> Result<bool, StorageError> {
    match owner {
        KeyOwner::Client(client_id) => {
            let client = active_client(conn, client_id)?;
            Ok(client.is_some_and(|client| client.audiences.iter().any(|known| known == api)))
        }
        KeyOwner::Person(_) => clients::is_audience(conn, api),
    }
}

/// Makes a key. The text is to be shown once: nobody can read it again.
pub fn create(
    tx: &mut Tx<'_>,
    actor: &Actor,
    wish: &Wish,
    issuer: &str,
    limit: Limit,
) -> Result<(ApiKey, ApiKeyText), Unfit> {
    let now = actor.clock.now();
    let text = ApiKeyText::new(&actor.clock, &actor.rng);
    let mut audience = wish.audience.clone();
    audience.sort();
    audience.dedup();
    let key = ApiKey {
        id: text.id(),
        secret_hash: text.digest().to_vec(),
        previous: None,
        name: wish.name.trim().to_owned(),
        owner: wish.owner.clone(),
        scope: wish.scope.clone(),
        audience,
        networks: wish.networks.iter().map(IpNet::trunc).collect(),
        rate_limit: wish.rate_limit,
        created_at: now,
        rotated_at: None,
        expires_at: wish.expires_in.map(|seconds| now.saturating_add(seconds)),
        stage: ApiKeyStage::Live,
        last_use: None,
    };
    key.validate()?;
    check_owner(tx.reader(), &key, issuer)?;
    check_limit(tx.reader(), &key.owner, limit, now)?;
    api_keys::insert(tx, &key)?;
    let detail = json!({
        "api_key": key.id.to_string(), "scope": key.scope.to_string(), "audience": key.audience,
        "expires_at": key.expires_at,
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
fn check_owner(conn: &mut Conn, key: &ApiKey, issuer: &str) -> Result<(), Unfit> {
    if let KeyOwner::Client(client_id) = &key.owner
        && clients::find(conn, client_id)?.is_some_and(|client| client.is_public())
    {
        return invalid("client", "is public: what everybody can read out of an app is no secret");
    }
    let Some(scope) = may_have(conn, &key.owner)? else { return Err(Unfit::Owner) };
    if let Some(beyond) = key.scope.iter().find(|name| !scope.contains(name)) {
        return invalid("scope", format!("has {beyond}, which its owner may not ask for"));
    }
    for api in key.audience.iter().filter(|api| api.as_str() != issuer) {
        if !may_use(conn, &key.owner, api)? {
            return invalid("audience", format!("has {api}, which its owner may not use"));
        }
    }
    Ok(())
}

/// Makes another secret for a key; the one before is taken for `overlap` seconds more. The key stays what it was.
pub fn rotate(tx: &mut Tx<'_>, actor: &Actor, key: &ApiKey, overlap: Seconds) -> Result<ApiKeyText, Unfit> {
    let now = actor.clock.now();
    if key.stage != ApiKeyStage::Live || key.is_expired(now) {
        return Err(Unfit::Ended);
    }
    let text = ApiKeyText::renewed(key.id, &actor.rng);
    let until = (overlap > 0).then(|| now.saturating_add(overlap));
    if !api_keys::rotate(tx, key, &text.digest(), until, now)? {
        return Err(Unfit::Raced);
    }
    let detail = json!({"api_key": key.id.to_string(), "previous_until": until});
    record(tx, actor, EventKind::ApiKeyRotated, key, detail)?;
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
