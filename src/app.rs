//! All that a handler needs, built once.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use moka::sync::Cache;

use crate::audit::Trail;
use crate::config::Config;
use crate::defense::{Admission, Connections, Limiter};
use crate::domain::{Algorithm, Client};
use crate::identity::{KeyUses, Passwords, SessionCookies};
use crate::keys::{KeyError, KeyRing};
use crate::protocol::endpoints;
use crate::route::Route;
use crate::storage::keys::StoredKey;
use crate::storage::{Db, ServerLock};
use crate::support::{AtOnce, Clock, Digest, Id, Rng, Seconds};

/// Whether this is the laptop of a developer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    Dev,
    /// [`crate::mock`]: nobody is who they say.
    Mock,
    #[default]
    Production,
}

/// The running server, less its sockets. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

pub struct Inner {
    pub config: Config,
    pub mode: Mode,
    pub db: Db,
    /// Where decisions are recorded that wrote nothing else.
    pub trail: Trail,
    pub clock: Clock,
    pub rng: Rng,
    pub keys: KeyRing,
    pub passwords: Passwords,
    pub limiter: Limiter,
    pub admission: Admission,
    pub connections: Connections,
    /// Bodies that have not come yet.
    pub unread_bodies: AtOnce,
    pub cookies: SessionCookies,
    pub access_token_alg: Algorithm,
    pub id_token_alg: Algorithm,
    /// Clients as they were read a moment ago; whoever uses one confirms its version where it counts.
    pub clients: Cache<String, Option<Arc<Client>>>,
    /// Access tokens whose signature was verified: hash of the token to its id and expiry.
    pub verified: Cache<Digest, (Id, Seconds)>,
    /// Codes and refresh tokens whose family ended because they were used again: nothing brings them back.
    pub spent: Cache<Digest, ()>,
    /// API keys that were refused of late, and why: the trail is told of each once a minute.
    pub key_refusals: Cache<(Id, &'static str), ()>,
    /// When API keys were last used, until it is written down.
    pub key_uses: KeyUses,
    /// PKCE challenges of late, to notice a client that sends the same one again and again.
    pub challenges: Cache<(String, String), Arc<std::sync::atomic::AtomicU32>>,
    /// Origins of registered browser apps, as they were a moment ago.
    pub origins: moka::future::Cache<(), Arc<std::collections::HashSet<String>>>,
    /// Whether the database answered a moment ago; what `/readyz` says is asked of it a few times a second.
    pub database_answers: moka::future::Cache<(), bool>,
    /// The scopes that the metadata list, as they were a moment ago.
    pub listed_scopes: moka::future::Cache<(), Vec<String>>,
    /// The scopes that the metadata listed last.
    pub scope_names: Mutex<Vec<String>>,
    /// Why balancers should look elsewhere, if they should.
    pub readiness: Readiness,
    /// The sign that this is the server of a SQLite database.
    pub server_lock: Option<ServerLock>,
    /// In development mode, the demo API's credentials for the playground.
    pub playground: Option<Playground>,
    /// In mock mode, who can be logged in by a click.
    pub personas: Vec<Persona>,
}

/// Somebody whom mock mode makes up.
#[derive(Debug, Clone)]
pub struct Persona {
    pub user_id: Id,
    pub username: String,
    /// What people call them.
    pub name: String,
    /// A few words for whoever chooses among them.
    pub about: String,
}

/// What this process knows of itself that makes it unfit to be sent requests.
#[derive(Debug, Default)]
pub struct Readiness {
    /// It was told to stop.
    pub draining: AtomicBool,
    /// The system's clock was set back, and is not believed.
    pub clock_behind: AtomicBool,
    /// The system's clock was set forward, and whether that was right has not shown yet.
    pub clock_ahead: AtomicBool,
    /// The database's clock shows another time.
    pub clock_skewed: AtomicBool,
    /// The database was written at a later time than this clock shows.
    pub clock_past: AtomicBool,
    /// There is a signing key that this node cannot open.
    pub keys_unopened: AtomicBool,
    /// Signing keys could not be read for a while.
    pub keys_unread: AtomicBool,
    /// The database belongs to another issuer by now, or to another encryption key.
    pub pins_differ: AtomicBool,
    /// Until then nothing is thrown away, because it has not shown yet whether the clock that this process began with is
    /// right.
    pub patient_until: OnceLock<Instant>,
}

/// How long it takes until a clock that is far ahead is believed when something is to be thrown away.
pub const PATIENCE: Duration = Duration::from_secs(3600);

impl Readiness {
    /// Why no request should come here.
    pub fn obstacle(&self) -> Option<&'static str> {
        let says = |flag: &AtomicBool, why| flag.load(Ordering::Relaxed).then_some(why);
        says(&self.draining, "stopping")
            .or_else(|| says(&self.clock_behind, "the clock was set back"))
            .or_else(|| says(&self.keys_unread, "the signing keys cannot be read"))
            .or_else(|| self.ignorance())
    }

    /// Why this node knows nothing of what depends on the time or on the keys: whoever asks is told so, and not what a wrong
    /// clock or a missing key makes of it.
    pub fn ignorance(&self) -> Option<&'static str> {
        let says = |flag: &AtomicBool, why| flag.load(Ordering::Relaxed).then_some(why);
        self.time_ignorance().or_else(|| says(&self.keys_unopened, "a signing key cannot be opened"))
    }

    /// The same for what needs no private key.
    fn time_ignorance(&self) -> Option<&'static str> {
        let says = |flag: &AtomicBool, why| flag.load(Ordering::Relaxed).then_some(why);
        says(&self.clock_skewed, "the clock differs from the database's")
            .or_else(|| says(&self.clock_past, "the clock is behind the database"))
            .or_else(|| says(&self.pins_differ, "the database belongs to another issuer or encryption key"))
    }

    /// Whether the time is not certain enough to throw away what seems to have expired.
    pub fn doubts_time(&self) -> bool {
        [&self.clock_behind, &self.clock_ahead, &self.clock_skewed, &self.clock_past]
            .iter()
            .any(|flag| flag.load(Ordering::Relaxed))
            || self.patient_until.get().is_some_and(|until| Instant::now() < *until)
    }
}

/// The two clients of the playground.
#[derive(Debug, Clone)]
pub struct Playground {
    pub client_id: String,
    pub api_client_id: String,
    pub api_client_secret: secrecy::SecretString,
    pub resource: String,
    pub scope: String,
}

/// What an [`App`] is built of.
pub struct Parts {
    pub config: Config,
    pub mode: Mode,
    pub db: Db,
    pub clock: Clock,
    pub rng: Rng,
    pub keys: KeyRing,
    pub passwords: Passwords,
    pub access_token_alg: Algorithm,
    pub id_token_alg: Algorithm,
    pub playground: Option<Playground>,
    pub personas: Vec<Persona>,
    pub server_lock: Option<ServerLock>,
    pub scope_names: Vec<String>,
}

/// How long a client may be used as it was read.
const CLIENT_MEMORY: Duration = Duration::from_secs(1);
/// How long an answer of the database serves all who ask the same without any credential.
const PROBE_MEMORY: Duration = Duration::from_millis(200);

impl App {
    pub fn new(parts: Parts) -> Self {
        let inner = Inner {
            limiter: Limiter::new(&parts.config.limits, &parts.config.server.trusted_proxies),
            admission: Admission::new(parts.config.server.max_requests, &parts.config.server.trusted_proxies),
            connections: Connections::new(&parts.config.server),
            unread_bodies: AtOnce::new(parts.config.server.max_unread_bodies_per_address),
            trail: Trail::new(parts.db.clone(), parts.clock.clone(), parts.config.limits.audited_refusals_per_address),
            cookies: SessionCookies::for_issuer(&parts.config.server.issuer),
            config: parts.config,
            mode: parts.mode,
            db: parts.db,
            clock: parts.clock,
            rng: parts.rng,
            keys: parts.keys,
            passwords: parts.passwords,
            access_token_alg: parts.access_token_alg,
            id_token_alg: parts.id_token_alg,
            clients: Cache::builder().max_capacity(10_000).time_to_live(CLIENT_MEMORY).build(),
            verified: Cache::builder().max_capacity(20_000).time_to_live(Duration::from_secs(3600)).build(),
            spent: Cache::builder().max_capacity(20_000).time_to_live(Duration::from_secs(600)).build(),
            key_refusals: Cache::builder().max_capacity(100_000).time_to_live(Duration::from_secs(60)).build(),
            key_uses: KeyUses::default(),
            challenges: Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(3600)).build(),
            origins: moka::future::Cache::builder().max_capacity(1).time_to_live(CLIENT_MEMORY).build(),
            database_answers: moka::future::Cache::builder().max_capacity(1).time_to_live(PROBE_MEMORY).build(),
            listed_scopes: moka::future::Cache::builder().max_capacity(1).time_to_live(PROBE_MEMORY).build(),
            scope_names: Mutex::new(parts.scope_names),
            readiness: Readiness::default(),
            server_lock: parts.server_lock,
            playground: parts.playground,
            personas: parts.personas,
        };
        Self { inner: Arc::new(inner) }
    }

    pub fn issuer(&self) -> &str {
        &self.config.server.issuer
    }

    /// The absolute URL of a path of ours.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer())
    }

    /// Whether this is the origin (RFC 6454) of our pages.
    pub fn is_own_origin(&self, origin: &str) -> bool {
        url::Url::parse(self.issuer()).is_ok_and(|url| url.origin().ascii_serialization() == origin)
    }

    /// The audience of tokens that may manage API keys.
    pub fn key_management(&self) -> String {
        self.url(endpoints::API_KEYS)
    }

    /// Whether an audience is one of this server's own: of userinfo, or of the management of API keys.
    pub fn is_own_audience(&self, audience: &str) -> bool {
        audience.strip_prefix(self.issuer()).is_some_and(|rest| rest.is_empty() || rest == endpoints::API_KEYS)
    }

    pub fn now(&self) -> Seconds {
        self.clock.now()
    }

    /// Why nothing that depends on the time or on the keys can be answered now.
    pub fn ignorance(&self) -> Option<&'static str> {
        self.readiness.ignorance().or(self.has_just_jumped())
    }

    /// Why nothing that depends on the time can be answered now.
    pub fn time_ignorance(&self) -> Option<&'static str> {
        self.readiness.time_ignorance().or(self.has_just_jumped())
    }

    /// Whether a jump is followed is decided by the database's clock within the second.
    fn has_just_jumped(&self) -> Option<&'static str> {
        let jumped = self.db.has_clock() && self.clock.has_just_jumped();
        jumped.then_some("the clock was set a moment ago")
    }

    /// Takes up the signing keys as they are stored now; `true` if they are others than before.
    pub fn take_up_keys(&self, stored: &[StoredKey]) -> Result<bool, KeyError> {
        let changed = self.keys.reload(stored)?;
        if changed {
            self.verified.invalidate_all();
        }
        let ring = self.keys.snapshot();
        let unopened = ring.unopened(self.now());
        let was = self.readiness.keys_unopened.swap(unopened.is_some(), Ordering::Relaxed);
        match unopened {
            Some(key) if !was => tracing::error!(
                kid = key.kid,
                "a signing key cannot be opened: [keys] encryption_key is another one than it was sealed with"
            ),
            None if was => tracing::info!("all signing keys can be opened again"),
            _ => {}
        }
        Ok(changed)
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

/// What is known of a request before anything of it is believed.
#[derive(Debug, Clone, Copy)]
pub struct RequestInfo {
    pub id: Id,
    /// The peer, or what a trusted proxy says the peer is.
    pub address: IpAddr,
    /// The row of the route table for its path.
    pub route: &'static Route,
}
