//! Everything that a mock is, and the worlds in it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokio::sync::Mutex;

use super::defaults::{API_CLIENT, MAX_RUNS, RUN_PARAMETER};
use super::issuer::{Issuer, MakeError, Origin};
use super::journal::Journal;
use super::own_claims::OwnClaims;
use super::place::{Map, Place};
use super::rotation;
use super::rules::Rules;
use super::settings::Settings;
use super::snapshot::Snapshot;
use super::world_error::WorldError;
use crate::protocol::endpoints;
use crate::support::Clock;
use latchway_mock_api::{Api, ApiError, ApiState};
use latchway_resource_server::{Introspection, ResourceServer};

/// Issuers in one world, at most.
const MAX_ISSUERS: usize = 32;

/// A mock: what it was made of, and a world for each run of tests.
pub struct House {
    pub settings: Settings,
    /// The folder of `mock.toml`, from which its files are named.
    pub folder: PathBuf,
    /// Scheme, host and port.
    pub base: String,
    /// What is behind the login.
    pub api: Api,
    is_ours: fn(&str) -> bool,
    worlds: Mutex<HashMap<String, Arc<World>>>,
}

/// What one run sees: its issuers, its time, its trouble.
pub struct World {
    /// Empty for whoever names none.
    pub run: String,
    pub clock: Clock,
    pub rules: Rules,
    pub journal: Journal,
    pub(super) snapshots: std::sync::Mutex<BTreeMap<String, Snapshot>>,
    pub(super) issuers: RwLock<BTreeMap<String, Issuer>>,
    /// Claims that tokens were given beside those of an issuer.
    pub(super) own_claims: OwnClaims,
    /// What is in the API's collections.
    api_state: RwLock<Arc<ApiState>>,
    /// Held while issuers are made.
    pub(super) making: Mutex<()>,
    /// What checks tokens at the mocked API, by issuer and audience.
    pub(super) servers: RwLock<BTreeMap<String, ResourceServer>>,
}

impl House {
    /// A mock at `base`; `is_ours` tells which paths the server has itself.
    ///
    /// # Errors
    /// What the API's documents and routes get wrong.
    pub fn new(settings: Settings, folder: PathBuf, base: String, is_ours: fn(&str) -> bool) -> Result<Self, ApiError> {
        let api = Api::load(&settings.api, &folder, settings.seed)?;
        Ok(Self { settings, folder, base, api, is_ours, worlds: Mutex::default() })
    }

    /// The world of a run, made when it is first named.
    ///
    /// # Errors
    /// If the name is none, or there are too many.
    pub async fn world(&self, run: &str) -> Result<Arc<World>, WorldError> {
        if !run.is_empty() && !super::place::is_name(run) {
            return Err(WorldError::Name);
        }
        let mut worlds = self.worlds.lock().await;
        if let Some(world) = worlds.get(run) {
            return Ok(world.clone());
        }
        if worlds.len() >= MAX_RUNS {
            return Err(WorldError::TooMany);
        }
        let world = Arc::new(World::make(self, run).await?);
        worlds.insert(run.to_owned(), world.clone());
        Ok(world)
    }

    /// The world of a run that was named before.
    pub async fn known_world(&self, run: &str) -> Option<Arc<World>> {
        self.worlds.lock().await.get(run).cloned()
    }

    /// All worlds, by the names of their runs.
    pub async fn known_worlds(&self) -> Vec<Arc<World>> {
        let mut worlds: Vec<_> = self.worlds.lock().await.values().cloned().collect();
        worlds.sort_by(|a, b| a.run.cmp(&b.run));
        worlds
    }

    /// Ends the world of a run; false if there is none.
    pub async fn end_world(&self, run: &str) -> bool {
        self.worlds.lock().await.remove(run).is_some()
    }

    /// Whose a path is, and its name there.
    pub fn place<'p>(&self, world: &World, path: &'p str) -> (Place, &'p str) {
        let map = Map {
            is_ours: self.is_ours,
            is_api: &|path| self.api.has_path(path),
            has_issuer: &|prefix| self.has_issuer(world, prefix),
            on_demand: self.settings.strangers,
        };
        map.place(path)
    }

    fn has_issuer(&self, world: &World, prefix: &str) -> bool {
        self.settings.issuers.iter().any(|issuer| issuer.path == prefix) || world.known(prefix).is_some()
    }
}

impl World {
    async fn make(house: &House, run: &str) -> Result<Self, WorldError> {
        let world = Self {
            run: run.to_owned(),
            clock: Clock::system(),
            rules: house.settings.first_rules()?,
            journal: Journal::default(),
            snapshots: std::sync::Mutex::default(),
            issuers: RwLock::default(),
            own_claims: OwnClaims::default(),
            api_state: RwLock::new(Arc::new(ApiState::new(&house.api))),
            making: Mutex::default(),
            servers: RwLock::default(),
        };
        world.issuer(house, "").await?;
        Ok(world)
    }

    /// Whether there is an issuer below this path already.
    pub fn has_issuer(&self, prefix: &str) -> bool {
        self.known(prefix).is_some()
    }

    fn known(&self, prefix: &str) -> Option<Issuer> {
        self.issuers.read().unwrap_or_else(PoisonError::into_inner).get(prefix).cloned()
    }

    /// The issuers that there are, the main one first.
    pub fn issuers(&self) -> Vec<Issuer> {
        self.issuers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// What is in the API's collections, as it changes.
    pub fn api_state(&self) -> Arc<ApiState> {
        self.api_state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts something else there.
    pub fn set_api_state(&self, state: ApiState) {
        *self.api_state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }

    /// An issuer, made when it is first asked for.
    ///
    /// # Errors
    /// If there are too many, or it cannot be made.
    pub async fn issuer(&self, house: &House, prefix: &str) -> Result<Issuer, MakeError> {
        if let Some(issuer) = self.known(prefix) {
            return Ok(issuer);
        }
        let _one_at_a_time = self.making.lock().await;
        if let Some(issuer) = self.known(prefix) {
            return Ok(issuer);
        }
        if self.issuers().len() >= MAX_ISSUERS {
            return Err(MakeError::Invalid(format!("there are {MAX_ISSUERS} issuers already")));
        }
        let origin = Origin::New(house.api.scopes());
        let issuer = Issuer::make(&house.settings, &house.base, prefix, &self.clock, origin).await?;
        self.issuers.write().unwrap_or_else(PoisonError::into_inner).insert(prefix.to_owned(), issuer.clone());
        Ok(issuer)
    }

    /// What checks credentials at the mocked API: the library that real APIs use, which fetches the keys of the issuer as
    /// theirs do. The issuer is the one that the token names, if it is one of this world.
    ///
    /// # Errors
    /// If the settings make no sense to it.
    pub fn resource_server(&self, house: &House, token: Option<&str>) -> Result<ResourceServer, MakeError> {
        let claims = token.and_then(claims_of).unwrap_or_default();
        let issuers = self.issuers();
        let named = issuers.iter().find_map(|issuer| {
            let app = issuer.apps().into_iter().find(|app| claims["iss"] == app.issuer())?;
            Some((app.issuer().to_owned(), issuer.prefix.clone()))
        });
        let (issuer, prefix) = named.unwrap_or_else(|| (house.base.clone(), String::new()));
        // The API answers under each name of this machine, and so has each of them for an audience.
        let (own, other) = (house.settings.audience(&issuer), house.settings.audience(&house.base));
        let is_meant = |audience: &str| match &claims["aud"] {
            Value::Array(all) => all.iter().any(|one| one == audience),
            one => one == audience,
        };
        let audience = if is_meant(&other) && !is_meant(&own) { other } else { own };
        let key = format!("{issuer} {audience}");
        if let Some(server) = self.servers.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(server.clone());
        }
        let url = if prefix.is_empty() { house.base.clone() } else { format!("{}/{prefix}", house.base) };
        let run = if self.run.is_empty() { String::new() } else { format!("?{RUN_PARAMETER}={}", self.run) };
        let keys = Introspection::new(API_CLIENT, API_CLIENT)
            .endpoint(format!("{url}{}{run}", endpoints::INTROSPECT))
            .cache_for(Duration::ZERO);
        let server = ResourceServer::builder(issuer, audience)
            .jwks_url(format!("{url}{}{run}", endpoints::JWKS))
            .api_keys(keys)
            .cookies()
            .leeway(Duration::ZERO)
            .clock(self.clock.clone())
            .build()
            .map_err(|error| MakeError::Invalid(error.to_string()))?;
        self.servers.write().unwrap_or_else(PoisonError::into_inner).insert(key, server.clone());
        Ok(server)
    }

    /// Makes new keys for all issuers, which sign from now on; the API has to fetch them anew.
    ///
    /// # Errors
    /// If a database or the cryptographic library fails.
    pub async fn rotate_keys(&self, house: &House) -> Result<(), MakeError> {
        for issuer in self.issuers() {
            rotation::rotate(&issuer, house.settings.seed).await?;
        }
        self.servers.write().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }
}

/// What a token says of itself, before its signature is checked.
fn claims_of(token: &str) -> Option<Value> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok()
}
