//! Configuration: one struct a section.
//!
//! `default.toml` beside this file is both the documentation of every key and the source of every default: it is
//! compiled in and read first. Above it come, each overriding the last: the TOML file, the environment
//! (`LATCHWAY__SECTION__KEY`, and `LATCHWAY__SECTION__KEY_FILE` for a value that lives in a file), and flags.

mod error;
mod issuer;
mod keys;
mod load;
mod log_level;
mod mode;
mod print;
mod rate;
mod redact;
mod retired;
mod settings;
mod shared;
mod sources;
#[cfg(test)]
mod tests;
mod validate;

use std::net::SocketAddr;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use error::{ConfigError, Origin, Problem};
pub use load::{Overrides, load, template};
pub use mode::Dev;
pub use print::{Format, print};
pub use rate::{Per, Rate, RouteLimit};
pub use shared::shared;

use crate::support::Network;

/// Everything that an operator can set. Serialized, it is fit to be shown: secrets are left out.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub keys: Keys,
    pub tokens: Tokens,
    pub sessions: Sessions,
    pub device: Device,
    pub passwords: Passwords,
    pub api_keys: ApiKeys,
    pub limits: Limits,
    pub anomalies: Anomalies,
    pub gatekeeper: Gatekeeper,
    pub log: Log,
    pub cleanup: Cleanup,
    pub audit: Audit,
    /// What its sources have that sets nothing, to be told once at the start.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// Who this server is and where it listens.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The issuer identifier (RFC 8414 §2), exactly as tokens carry it; https unless its host is loopback.
    /// In the defaults it is empty; under `serve --dev`, `load` then derives it from `listen`.
    pub issuer: String,
    /// What people see as the name of this service.
    pub name: String,
    pub listen: SocketAddr,
    /// Whether HSTS speaks for the hosts below the issuer's as well.
    pub hsts_include_subdomains: bool,
    /// A page where people find help with logging in; none if empty.
    pub help_url: String,
    /// A page by which people reach those who run this server; none if empty.
    pub support_url: String,
    /// An e-mail address for the same; none if empty.
    pub support_email: String,
    /// Where to report a weakness (RFC 9116): an https URL or an e-mail address. Without it there is no security.txt.
    pub security_contact: String,
    /// What is asked of those who look for one: an https URL; none if empty.
    pub security_policy_url: String,
    /// Where `/metrics` is served; empty string switches it off. Loopback unless you know why not.
    pub metrics_listen: String,
    /// Proxies whose `X-Forwarded-For` is believed; nobody by default.
    pub trusted_proxies: Vec<Network>,
    /// HTTP worker threads; 0 is one a core.
    pub workers: usize,
    /// Seconds for which `/readyz` already answers 503 while requests are still taken, after SIGTERM.
    pub shutdown_delay_seconds: u64,
    /// Seconds that requests under way have to finish, after that delay.
    pub shutdown_timeout_seconds: u64,
    /// Seconds in which a whole request, body included, must have been answered.
    pub request_timeout_seconds: u64,
    /// Requests under way at once, over all workers.
    pub max_requests: usize,
    /// Simultaneous connections per worker.
    pub max_connections: usize,
    /// Simultaneous connections of one address, over all workers.
    pub max_connections_per_address: usize,
    /// Requests of one address whose body has not come yet, over all workers.
    pub max_unread_bodies_per_address: usize,
}

/// Where state is kept.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:///absolute/path.db`, `sqlite://relative.db` or `postgres://user:password@host/name`.
    #[serde(serialize_with = "print::url")]
    pub url: SecretString,
    /// PostgreSQL connections.
    pub pool_size: usize,
    /// Writes that may wait before new ones are answered 503.
    pub queue: usize,
    /// Seconds that one piece of work may wait for the database before it is answered 503.
    pub timeout_seconds: u64,
    /// Seconds that making one connection to PostgreSQL may take; 0: as long as `timeout_seconds`.
    pub connect_timeout_seconds: u64,
    /// Seconds for which `serve` waits at its start for a PostgreSQL that is not up yet.
    pub start_timeout_seconds: u64,
    /// Whether a connection pooler is between this server and PostgreSQL.
    pub pooler: Pooler,
    /// Apply outstanding migrations at start of `serve`; otherwise `latchway migrate` must have run.
    pub migrate_on_start: bool,
}

/// What is between this process and PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooler {
    /// Found out at the start.
    Auto,
    /// A pooler that lends connections for whole sessions.
    Session,
    /// A pooler that lends them for transactions.
    Transaction,
}

/// Signing keys.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// 32 bytes in base64url or base64: encrypts private keys at rest. Absent only under `serve --dev`.
    #[serde(serialize_with = "print::secret")]
    pub encryption_key: Option<SecretString>,
    /// The one before, while it is being changed.
    #[serde(serialize_with = "print::secret")]
    pub previous_encryption_key: Option<SecretString>,
    /// ES256, EdDSA, RS256 or PS256.
    pub access_token_alg: String,
    /// The algorithm of ID tokens for clients that registered none.
    pub id_token_alg: String,
    /// How long a new key stands in the JWKS before it signs; also the JWKS cache time.
    pub prepublish_seconds: u64,
    /// How often a node looks for key changes made elsewhere.
    pub reload_seconds: u64,
}

/// Lifetimes of what is issued, in seconds.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    pub access_token_seconds: i64,
    pub id_token_seconds: i64,
    /// At most 600 (RFC 6749 §4.1.2).
    pub code_seconds: i64,
    /// From the login until the family ends, however often it is refreshed.
    pub refresh_absolute_seconds: i64,
    /// A refresh token unused for so long ends.
    pub refresh_idle_seconds: i64,
    /// In this window a used refresh token gets the live token of its family.
    pub refresh_retry_seconds: i64,
    /// Clock difference that is forgiven when checking times that others wrote.
    pub clock_skew_seconds: i64,
}

/// Browser sessions, in seconds.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    pub idle_seconds: i64,
    pub absolute_seconds: i64,
    /// How long a login and consent may take.
    pub transaction_seconds: i64,
}

/// The grant for devices without a browser (RFC 8628).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// How long the codes count, in seconds.
    pub code_seconds: i64,
    /// Seconds between two polls of a device.
    pub interval_seconds: i64,
    /// Requests under way that may be stored at once; more are answered 503.
    pub max_requests: i64,
}

/// Argon2id and its bounds.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Passwords {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
    /// Hashes computed at once; memory is at most this times `memory_kib`.
    pub max_parallel: usize,
    /// Logins that may wait for a hash before new ones are answered 503.
    pub queue: usize,
    /// Characters, for passwords that people choose.
    pub min_length: usize,
}

/// Credentials of programs.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeys {
    /// Keys that count, of one person or client.
    pub max_per_owner: usize,
    /// Keys that one person or client can make in 24 hours, whatever became of them.
    pub max_made_per_day: usize,
    /// For how long a rotated secret is taken beside its successor.
    pub overlap_seconds: i64,
    /// How often last uses are written down.
    pub last_use_seconds: u64,
}

/// Rates: how many, in how many seconds.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Failed logins for one account from one address, before a pause.
    pub login_failures_per_account: u32,
    /// Failed logins from one address, before a pause.
    pub login_failures_per_address: u32,
    pub login_window_seconds: u32,
    /// Failed client authentications from one address for one client, before 429.
    pub client_auth_failures: u32,
    pub client_auth_window_seconds: u32,
    /// New login transactions from one address, each minute.
    pub authorize_per_address_per_minute: u32,
    /// Tokens not known that one client may introspect, each minute.
    pub introspect_misses_per_minute: u32,
    /// Failed logins for one account, from wherever, after which an unknown device has to wait between two tries.
    pub login_brake_after: u32,
    /// In which those are counted.
    pub login_brake_window_seconds: u32,
    /// The wait doubles with each failure, up to this.
    pub login_brake_max_seconds: u32,
    /// How long a browser is remembered as one in which a person has logged in; 0: not at all.
    pub known_device_days: u32,
    /// Failed authentications of clients that there are not.
    pub unknown_client_failures_per_address: Rate,
    /// Failed API keys.
    pub api_key_failures_per_address: Rate,
    /// One-time links that do not work.
    pub link_failures_per_address: Rate,
    /// Wrong user codes (RFC 8628 §5.1), of one person and from one address.
    pub user_code_failures: Rate,
    /// Refusals that anyone can cause, of one kind and from one address, that the audit trail has one by one.
    pub audited_refusals_per_address: Rate,
    pub authorize_per_address: Rate,
    pub token_per_address: Rate,
    pub token_per_client: Rate,
    pub device_per_address: Rate,
    pub device_per_client: Rate,
    pub introspect_per_address: Rate,
    pub introspect_per_client: Rate,
    pub revoke_per_address: Rate,
    pub revoke_per_client: Rate,
    pub userinfo_per_address: Rate,
    /// Of `/api`, but for `/api/v1/forward-auth`.
    pub api_per_address: Rate,
    pub forward_auth_per_address: Rate,
    /// Of the pages for people.
    pub pages_per_address: Rate,
    /// Of `/.well-known`.
    pub metadata_per_address: Rate,
    /// Of single paths, beside those of their group.
    pub routes: Vec<RouteLimit>,
    /// Of whoever an anomaly has slowed down.
    pub slowed: Rate,
}

/// What looks like an attack, and what is done then.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Anomalies {
    pub enabled: bool,
    /// Where findings are posted; nowhere if empty.
    #[serde(serialize_with = "print::secret_text")]
    pub webhook_url: SecretString,
    /// What those posts are signed with (HMAC-SHA256).
    #[serde(serialize_with = "print::secret_text")]
    pub webhook_secret: SecretString,
    /// In which the receiver must answer.
    pub webhook_timeout_seconds: u64,
    /// How long a reaction restrains somebody.
    pub reaction_seconds: u32,
    /// Accounts that fail from one network.
    pub password_spraying_accounts: u32,
    pub password_spraying_window_seconds: u32,
    /// The same for those who take their time.
    pub password_spraying_accounts_a_day: u32,
    /// Of all accounts from that network, those that fail.
    pub password_spraying_percent: u32,
    pub password_spraying_reactions: Vec<Reaction>,
    /// Accounts that fail, wherever they are.
    pub credential_stuffing_accounts: u32,
    /// From so many networks.
    pub credential_stuffing_networks: u32,
    pub credential_stuffing_window_seconds: u32,
    /// Of all accounts, those that fail; and three times what is usual.
    pub credential_stuffing_percent: u32,
    pub brute_force_account_failures: u32,
    pub brute_force_account_window_seconds: u32,
    pub brute_force_account_failures_a_day: u32,
    pub brute_force_account_reactions: Vec<Reaction>,
    /// Different secrets.
    pub brute_force_client_secrets: u32,
    pub brute_force_client_window_seconds: u32,
    pub brute_force_client_reactions: Vec<Reaction>,
    pub token_reuse_reactions: Vec<Reaction>,
    pub client_burst_clients: u32,
    pub client_burst_window_seconds: u32,
    /// Uses of a client's families after which it is known whether they move about.
    pub new_network_uses: u32,
    /// And days.
    pub new_network_days: u32,
    /// Uses from new networks, at most: otherwise another one means nothing.
    pub new_network_moves: u32,
    pub new_network_reactions: Vec<Reaction>,
    /// Refusals of one client.
    pub error_rate_errors: u32,
    pub error_rate_window_seconds: u32,
    /// Of all its requests, those refused; and four times what is usual.
    pub error_rate_percent: u32,
    pub error_rate_reactions: Vec<Reaction>,
}

/// What is done about an anomaly, besides telling of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// The addresses or the client get `[limits] slowed` for a while.
    SlowDown,
    /// The person has to log in again, everywhere.
    FreshLogin,
    /// The family of tokens ends.
    RevokeFamily,
    /// The addresses are refused for a while.
    BlockAddress,
}

/// Forward authentication for apps behind a proxy.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gatekeeper {
    /// Where browsers may be led back to after a login.
    pub allowed_origins: Vec<String>,
    /// The audience that tokens and API keys have for all of these apps, beside each app's own origin.
    pub audience: String,
    /// What a person's own login counts as having.
    pub session_scope: String,
}

/// What is logged and how.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// `json` or `text`.
    pub format: LogFormat,
    /// A `tracing` filter, such as `info` or `latchway=debug,info`.
    pub level: String,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Json,
    Text,
}

/// Removal of what has expired, while serving.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cleanup {
    pub interval_seconds: u64,
    /// Rows removed in one transaction.
    pub batch: i64,
    /// Days for which audit events are kept.
    pub audit_days: i64,
}

/// How tampering with the audit trail shows.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Between two signed statements of how far the trail goes.
    pub checkpoint_seconds: u64,
}
