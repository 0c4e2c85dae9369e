//! One authorization server of a mock: the real one, on a database in memory, with people that are made up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix_web::web;
use secrecy::SecretString;

use super::defaults::{API_CLIENT, USUAL_SCOPE};
use super::settings::{ClientSettings, PersonaSettings, Settings};
use crate::app::{App, Mode, Parts, Persona};
use crate::config::{self, Config, Dev, Overrides};
use crate::domain::{
    Algorithm, ApplicationType, AuthMethod, Client, GrantType, Party, RedirectUri, Role, Scopes, User,
};
use crate::identity::Passwords;
use crate::keys::{self, IfGone, KeyRing, Sealer, seeded, unlock_audit};
use crate::storage::scopes::ScopeText;
use crate::storage::{Db, DbOptions, Refusal, StorageError, clients, scopes, users};
use crate::support::{Clock, Id, Rng, Seconds, sha256};

/// What is sealed in mock mode is no secret.
const SEALED_WITH: [u8; 32] = *b"latchway mock: this is no secret";

/// Nothing in mock mode is ever too often, unless a rule says so.
const UNLIMITED: &[(&str, &str)] = &[
    ("LIMITS__AUTHORIZE_PER_ADDRESS", "0"),
    ("LIMITS__AUTHORIZE_PER_ADDRESS_PER_MINUTE", "1000000"),
    ("LIMITS__CLIENT_AUTH_FAILURES", "1000000"),
    ("LIMITS__INTROSPECT_MISSES_PER_MINUTE", "1000000"),
    ("LIMITS__API_KEY_FAILURES_PER_ADDRESS", "0"),
    ("LIMITS__API_PER_ADDRESS", "0"),
    ("LIMITS__INTROSPECT_PER_ADDRESS", "0"),
    ("LIMITS__INTROSPECT_PER_CLIENT", "0"),
    ("LIMITS__LINK_FAILURES_PER_ADDRESS", "0"),
    ("LIMITS__LOGIN_BRAKE_AFTER", "1000000"),
    ("LIMITS__LOGIN_FAILURES_PER_ACCOUNT", "1000000"),
    ("LIMITS__LOGIN_FAILURES_PER_ADDRESS", "1000000"),
    ("LIMITS__PAGES_PER_ADDRESS", "0"),
    ("LIMITS__REVOKE_PER_ADDRESS", "0"),
    ("LIMITS__REVOKE_PER_CLIENT", "0"),
    ("LIMITS__TOKEN_PER_ADDRESS", "0"),
    ("LIMITS__TOKEN_PER_CLIENT", "0"),
    ("LIMITS__UNKNOWN_CLIENT_FAILURES_PER_ADDRESS", "0"),
    ("LIMITS__USERINFO_PER_ADDRESS", "0"),
    ("LIMITS__DEVICE_PER_ADDRESS", "0"),
    ("LIMITS__DEVICE_PER_CLIENT", "0"),
    ("LIMITS__USER_CODE_FAILURES", "0"),
];

/// An authorization server below a path of the mock.
#[derive(Clone)]
pub struct Issuer {
    /// Empty for the main one.
    pub prefix: String,
    /// As handlers ask for it, under the address that the mock listens on.
    pub app: web::Data<App>,
    /// The same issuer under other names of this machine, by the origin that was asked: the same people, clients and keys,
    /// each with the identifier that its clients expect (OpenID Connect Discovery 1.0 §4.3).
    names: Arc<RwLock<BTreeMap<String, web::Data<App>>>>,
}

/// Names under which one issuer answers, beside the address that the mock listens on, at most.
const MAX_NAMES: usize = 16;

/// Why one could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Keys(#[from] keys::KeyError),
    #[error("the passwords: {0}")]
    Passwords(String),
    #[error("{0}")]
    Invalid(String),
}

/// Where an issuer's database comes from.
pub enum Origin<'a> {
    /// A new one with people and clients of the settings, and with the words for these scopes.
    New(&'a [ScopeText]),
    /// A copy, in which they are.
    Database(Db),
}

impl Issuer {
    /// Opens a database in memory that nobody else has.
    pub fn database(clock: &Clock) -> Result<Db, StorageError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("latchway-mock-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let options = DbOptions {
            pool_size: 1,
            queue: 1024,
            timeout: Duration::from_secs(10),
            ..DbOptions::new(SecretString::from(format!("memory://{name}")))
        };
        Db::open(&options, clock.clone())
    }

    /// Makes one at `base` and a path below it.
    ///
    /// # Errors
    /// If the settings make no sense, which [`Settings::check`] tells first.
    pub async fn make(
        settings: &Settings,
        base: &str,
        prefix: &str,
        clock: &Clock,
        origin: Origin<'_>,
    ) -> Result<Self, MakeError> {
        let config = configure(settings, base, prefix)?;
        let rng = Rng::system();
        let sealer = Arc::new(Sealer::new(&SEALED_WITH).ok_or(keys::KeyError::Make)?);
        let passwords =
            Passwords::new(&config.passwords, rng.clone()).map_err(|e| MakeError::Passwords(e.to_string()))?;
        let db = match origin {
            Origin::Database(db) => db,
            Origin::New(scopes) => {
                let db = Self::database(clock)?;
                db.migrate()?;
                let people = people(settings, prefix);
                let audience = settings.audience(base);
                let found = Found {
                    settings,
                    prefix,
                    clock,
                    rng: &rng,
                    sealer: &sealer,
                    passwords: &passwords,
                    audience: &audience,
                };
                found.fill(&db, people, scopes.to_vec()).await?;
                db
            }
        };
        unlock_audit(&db, &sealer, clock, &rng, IfGone::BeginAnew).await?;
        let stored = db.read("keys.list", crate::storage::keys::list).await?;
        let known = db.read("metadata.scopes", scopes::list).await?;
        let parsed = |name: &str| name.parse::<Algorithm>().map_err(MakeError::Invalid);
        let personas = people(settings, prefix).iter().map(|person| persona(settings.seed, prefix, person)).collect();
        let app = App::new(Parts {
            access_token_alg: parsed(&config.keys.access_token_alg)?,
            id_token_alg: parsed(&config.keys.id_token_alg)?,
            config,
            mode: Mode::Mock,
            db,
            clock: clock.clone(),
            rng,
            keys: KeyRing::new(&stored, sealer, clock.clone())?,
            passwords,
            playground: None,
            personas,
            server_lock: None,
            scope_names: known.into_iter().map(|scope| scope.name).collect(),
        });
        Ok(Self { prefix: prefix.to_owned(), app: web::Data::new(app), names: Arc::default() })
    }

    /// The issuer as it answers at `origin`, which is an origin of this machine.
    ///
    /// # Errors
    /// As [`Issuer::make`]. Beyond [`MAX_NAMES`] names it answers as at the address that the mock listens on.
    pub async fn at(&self, settings: &Settings, origin: &str) -> Result<web::Data<App>, MakeError> {
        let is_own =
            self.app.issuer().strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is_own {
            return Ok(self.app.clone());
        }
        if let Some(app) = self.named(origin) {
            return Ok(app);
        }
        let same = Origin::Database(self.app.db.clone());
        let made = Self::make(settings, origin, &self.prefix, &self.app.clock, same).await?;
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MAX_NAMES && !names.contains_key(origin) {
            return Ok(self.app.clone());
        }
        Ok(names.entry(origin.to_owned()).or_insert(made.app).clone())
    }

    fn named(&self, origin: &str) -> Option<web::Data<App>> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).get(origin).cloned()
    }

    /// All apps of this issuer: first that of the address that the mock listens on, then those of other names.
    pub fn apps(&self) -> Vec<web::Data<App>> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(&self.app).chain(names.values()).cloned().collect()
    }
}

fn configure(settings: &Settings, base: &str, prefix: &str) -> Result<Config, MakeError> {
    let overrides = Overrides { dev: Dev::Yes, ..Overrides::default() };
    let variables = UNLIMITED.iter().map(|(name, value)| (format!("LATCHWAY__{name}"), (*value).to_owned()));
    let mut config = config::load(&overrides, variables)?;
    let named = settings.issuers.iter().find(|issuer| issuer.path == prefix).and_then(|issuer| issuer.name.clone());
    config.server.name = named.unwrap_or_else(|| match prefix {
        "" => settings.name.clone(),
        prefix => format!("{} ({prefix})", settings.name),
    });
    config.server.issuer = if prefix.is_empty() { base.to_owned() } else { format!("{base}/{prefix}") };
    config.keys.access_token_alg.clone_from(&settings.tokens.access_token_alg);
    config.keys.id_token_alg.clone_from(&settings.tokens.id_token_alg);
    config.tokens.access_token_seconds = settings.tokens.access_token_seconds;
    config.tokens.id_token_seconds = settings.tokens.id_token_seconds;
    config.tokens.code_seconds = settings.tokens.code_seconds;
    // Passwords that everybody knows are worth no work.
    (config.passwords.memory_kib, config.passwords.iterations, config.passwords.max_parallel) = (8, 1, 1);
    config.anomalies.enabled = false;
    Ok(config)
}

fn people<'a>(settings: &'a Settings, prefix: &str) -> &'a [PersonaSettings] {
    let own = settings.issuers.iter().find(|issuer| issuer.path == prefix).and_then(|issuer| issuer.personas.as_ref());
    own.unwrap_or(&settings.personas)
}

/// The id of a person, which is theirs for a seed whenever a mock begins.
pub fn person_id(seed: u64, prefix: &str, username: &str) -> Id {
    let hash = sha256(format!("latchway mock person {seed} {prefix} {username}").as_bytes());
    // 2020-01-01, and for the rest what follows from the name, in the form of a UUIDv7.
    let mut bytes = *Id::first_at(1_577_836_800_000).as_bytes();
    bytes[6..].copy_from_slice(&hash[..10]);
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    Id::from_bytes(bytes)
}

fn persona(seed: u64, prefix: &str, settings: &PersonaSettings) -> Persona {
    Persona {
        user_id: person_id(seed, prefix, &settings.username),
        username: settings.username.clone(),
        name: display_name(settings),
        about: settings.role.clone(),
    }
}

fn display_name(settings: &PersonaSettings) -> String {
    settings.name.clone().unwrap_or_else(|| {
        let mut letters = settings.username.chars();
        let first = letters.next().map(char::to_uppercase).into_iter().flatten();
        first.chain(letters).collect()
    })
}

/// What a database begins with.
struct Found<'a> {
    settings: &'a Settings,
    prefix: &'a str,
    clock: &'a Clock,
    rng: &'a Rng,
    sealer: &'a Sealer,
    passwords: &'a Passwords,
    /// Of the mocked API.
    audience: &'a str,
}

impl Found<'_> {
    async fn fill(&self, db: &Db, people: &[PersonaSettings], texts: Vec<ScopeText>) -> Result<(), MakeError> {
        let now = self.clock.now();
        let seed = format!("{} {}", self.settings.seed, self.prefix);
        let keys = Algorithm::ALL.iter().map(|&algorithm| seeded(algorithm, (&seed, 0), self.sealer, self.rng, now));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let mut users = Vec::with_capacity(people.len());
        for person in people {
            users.push(self.user(person, now).await?);
        }
        let mut clients =
            self.settings.clients.iter().map(|client| made(client, now)).collect::<Result<Vec<_>, _>>()?;
        clients.push(Client {
            secret_hash: Some(sha256(API_CLIENT.as_bytes()).to_vec()),
            audiences: vec![self.audience.to_owned()],
            resources: vec![self.audience.to_owned()],
            ..Client::new(API_CLIENT.to_owned(), "The mocked API".to_owned(), AuthMethod::ClientSecretBasic, now)
        });
        db.write("mock.fill", move |tx| -> Result<_, Refusal<StorageError>> {
            for key in &keys {
                crate::storage::keys::insert(tx, key)?;
            }
            for user in &users {
                users::insert(tx, user)?;
            }
            for client in &clients {
                clients::insert(tx, client)?;
            }
            let known = scopes::list(tx.reader())?;
            for text in texts.iter().filter(|text| known.iter().all(|known| known.name != text.name)) {
                scopes::put(tx, text)?;
            }
            Ok(())
        })
        .await?;
        Ok(())
    }

    async fn user(&self, person: &PersonaSettings, now: Seconds) -> Result<User, MakeError> {
        let password = person.password.clone().unwrap_or_else(|| person.username.clone());
        let hash = self.passwords.hash(SecretString::from(password)).await;
        let id = person_id(self.settings.seed, self.prefix, &person.username);
        Ok(User {
            email: Some(person.email.clone().unwrap_or_else(|| format!("{}@example.com", person.username))),
            email_verified_at: Some(now),
            name: Some(display_name(person)),
            role: person.role.parse::<Role>().map_err(MakeError::Invalid)?,
            password_hash: Some(hash.map_err(|e| MakeError::Passwords(e.to_string()))?),
            password_changed_at: 0,
            ..User::new(id, person.username.clone(), now)
        })
    }
}

fn made(settings: &ClientSettings, now: Seconds) -> Result<Client, MakeError> {
    let invalid = |why: String| MakeError::Invalid(format!("[[clients]] id = {:?}: {why}", settings.id));
    let method = if settings.secret.is_some() { AuthMethod::ClientSecretBasic } else { AuthMethod::None };
    let mut client =
        Client::new(settings.id.clone(), settings.name.clone().unwrap_or_else(|| settings.id.clone()), method, now);
    client.secret_hash = settings.secret.as_ref().map(|secret| sha256(secret.as_bytes()).to_vec());
    for uri in &settings.redirect_uris {
        client.redirect_uris.push(RedirectUri::register(uri).map_err(|e| invalid(e.to_string()))?);
    }
    if !client.redirect_uris.is_empty() {
        client.grant_types.extend([GrantType::AuthorizationCode, GrantType::RefreshToken]);
    }
    if settings.secret.is_some() {
        client.grant_types.push(GrantType::ClientCredentials);
    }
    client.scope =
        Scopes::parse(settings.scope.as_deref().unwrap_or(USUAL_SCOPE)).map_err(|e| invalid(e.to_string()))?;
    client.audiences.clone_from(&settings.audiences);
    client.resources.clone_from(&settings.resources);
    client.application_type = ApplicationType::Native;
    client.party = if settings.first_party { Party::First } else { Party::Third };
    client.validate().map_err(|e| invalid(e.to_string()))?;
    Ok(client)
}
