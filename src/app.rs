//! All that a handler needs, built once.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use crate::config::Config;
use crate::defense::Limiter;
use crate::domain::{Algorithm, Client};
use crate::identity::{Passwords, SessionCookies};
use crate::keys::KeyRing;
use crate::storage::Db;
use crate::support::{Clock, Digest, Id, Rng, Seconds};

/// Whether this is the laptop of a developer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    Dev,
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
    pub clock: Clock,
    pub rng: Rng,
    pub keys: KeyRing,
    pub passwords: Passwords,
    pub limiter: Limiter,
    pub cookies: SessionCookies,
    pub access_token_alg: Algorithm,
    pub id_token_alg: Algorithm,
    /// Clients as they were read a moment ago; whoever uses one confirms its version where it counts.
    pub clients: Cache<String, Option<Arc<Client>>>,
    /// Access tokens whose signature was verified: hash of the token to its id and expiry.
    pub verified: Cache<Digest, (Id, Seconds)>,
    /// PKCE challenges of late, to notice a client that sends the same one again and again.
    pub challenges: Cache<(String, String), Arc<std::sync::atomic::AtomicU32>>,
    /// Origins of registered browser apps, as they were a moment ago.
    pub origins: Cache<(), Arc<std::collections::HashSet<String>>>,
    /// Set when the server has been told to stop, so that balancers look elsewhere.
    pub draining: std::sync::atomic::AtomicBool,
    /// In development mode, the demo API's credentials for the playground.
    pub playground: Option<Playground>,
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
}

/// How long a client may be used as it was read.
const CLIENT_MEMORY: Duration = Duration::from_secs(1);

impl App {
    pub fn new(parts: Parts) -> Self {
        let inner = Inner {
            limiter: Limiter::new(&parts.config.limits),
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
            challenges: Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(3600)).build(),
            origins: Cache::builder().max_capacity(1).time_to_live(CLIENT_MEMORY).build(),
            draining: std::sync::atomic::AtomicBool::new(false),
            playground: parts.playground,
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

    pub fn now(&self) -> Seconds {
        self.clock.now()
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
}
