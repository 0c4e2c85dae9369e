//! Rules that go beyond one value: what must be set, and what does not go together.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::error::{Origin, Problem};
use super::mode::Dev;
use super::settings::Settings;
use super::{Anomalies, Config, Keys, Log, Server, issuer, log_level};

const ON_THIS_MACHINE: &str = "--dev serves this machine only; use a loopback address such as";

/// Everything that is wrong with a configuration whose values are each well-formed.
pub(super) fn validate(config: &Config, settings: &Settings, dev: Dev) -> Vec<Problem> {
    [
        check_issuer(&config.server, settings, dev),
        check_listen(&config.server, settings, dev),
        check_metrics(&config.server, settings, dev),
        check_database(config.database.url.expose_secret(), settings),
        check_encryption_key(&config.keys, settings, dev),
        check_rotation(&config.keys, settings),
        check_webhook(&config.anomalies, settings),
        check_session_scope(&config.gatekeeper.session_scope, settings),
        check_log(&config.log, settings),
        check_gate_audience(&config.gatekeeper.audience, &config.server.issuer, settings),
    ]
    .into_iter()
    .filter_map(Result::err)
    .collect()
}

fn check_issuer(server: &Server, settings: &Settings, dev: Dev) -> Result<(), Problem> {
    if server.issuer.is_empty() {
        return match dev {
            Dev::Yes => Err(settings.invalid(
                "server",
                "listen",
                "port 0 makes no issuer; choose a port or set [server] issuer",
            )),
            Dev::No => Err(missing(
                "[server] issuer",
                "set it to the URL at which this server is reached, such as https://id.example, in the configuration \
                 file or as LATCHWAY__SERVER__ISSUER",
            )),
        };
    }
    if settings.origin("server", "issuer") == Origin::Default {
        return Ok(()); // derived from `listen`, which is checked itself
    }
    let refuse = |reason| settings.invalid("server", "issuer", reason);
    let url = issuer::check(&server.issuer).map_err(refuse)?;
    if dev == Dev::Yes && !issuer::is_loopback(&url) {
        let reason = format!("{ON_THIS_MACHINE} http://localhost:8080, leave it empty, or start without --dev");
        return Err(refuse(reason));
    }
    Ok(())
}

fn check_listen(server: &Server, settings: &Settings, dev: Dev) -> Result<(), Problem> {
    if dev == Dev::Yes && !server.listen.ip().to_canonical().is_loopback() {
        let reason = format!("{ON_THIS_MACHINE} 127.0.0.1:8080, or start without --dev");
        return Err(settings.invalid("server", "listen", reason));
    }
    Ok(())
}

fn check_metrics(server: &Server, settings: &Settings, dev: Dev) -> Result<(), Problem> {
    let Some(address) = server.metrics_address() else { return Ok(()) };
    if dev == Dev::Yes && !address.ip().to_canonical().is_loopback() {
        let reason = format!("{ON_THIS_MACHINE} 127.0.0.1:9464, or start without --dev");
        return Err(settings.invalid("server", "metrics_listen", reason));
    }
    if address == server.listen && address.port() != 0 {
        return Err(settings.invalid(
            "server",
            "metrics_listen",
            "is the address of [server] listen; choose another port",
        ));
    }
    Ok(())
}

fn check_database(url: &str, settings: &Settings) -> Result<(), Problem> {
    let refuse = |reason| Err(settings.invalid("database", "url", reason));
    match url.split_once("://") {
        None if url.is_empty() => Err(missing(
            "[database] url",
            "set it to sqlite:///absolute/path.db or postgres://user:password@host/name, in the configuration file or as \
             LATCHWAY__DATABASE__URL, or give --data DIR for an SQLite file there",
        )),
        // Each connection would have a database of its own.
        Some(("sqlite", ":memory:")) => refuse("an in-memory database is not supported; name a file"),
        Some(("sqlite", path)) if path.is_empty() || path.ends_with('/') => {
            refuse("names no file; write sqlite:///absolute/path.db")
        }
        Some(("sqlite" | "postgres" | "postgresql", _)) => Ok(()),
        _ => refuse("must begin with sqlite:// or postgres://"),
    }
}

fn check_encryption_key(keys: &Keys, settings: &Settings, dev: Dev) -> Result<(), Problem> {
    let reason = "must be exactly 32 bytes in base64 or base64url; make one with `openssl rand -base64 32`";
    if keys.previous_encryption_key.is_some() && keys.previous_encryption_key_bytes().is_none() {
        return Err(settings.invalid("keys", "previous_encryption_key", reason));
    }
    match (&keys.encryption_key, keys.encryption_key_bytes(), dev) {
        (_, Some(_), _) | (None, _, Dev::Yes) => Ok(()),
        (None, _, Dev::No) => Err(missing(
            "[keys] encryption_key",
            "make one with `openssl rand -base64 32`, keep it in a file and name that file in \
             LATCHWAY__KEYS__ENCRYPTION_KEY_FILE",
        )),
        (Some(_), None, _) => Err(settings.invalid("keys", "encryption_key", reason)),
    }
}

/// A key must have reached the JWKS of every node before it signs.
fn check_rotation(keys: &Keys, settings: &Settings) -> Result<(), Problem> {
    if keys.prepublish_seconds < keys.reload_seconds {
        let reason = format!("must be at least [keys] reload_seconds, {}", keys.reload_seconds);
        return Err(settings.invalid("keys", "prepublish_seconds", reason));
    }
    Ok(())
}

/// Findings go to one place that the operator named, and nobody on the way reads or makes them up.
fn check_webhook(anomalies: &Anomalies, settings: &Settings) -> Result<(), Problem> {
    const MIN_SECRET: usize = 32;
    let (url, secret) = (anomalies.webhook_url.expose_secret(), anomalies.webhook_secret.expose_secret());
    if url.is_empty() {
        return Ok(());
    }
    let refuse = || settings.invalid("anomalies", "webhook_url", "must be an https URL, or http on a loopback address");
    let parsed = url::Url::parse(url).map_err(|_| refuse())?;
    let is_named = parsed.username().is_empty() && parsed.password().is_none() && parsed.fragment().is_none();
    let is_safe = parsed.scheme() == "https" || (parsed.scheme() == "http" && issuer::is_loopback(&parsed));
    if !is_named || !is_safe {
        return Err(refuse());
    }
    if secret.len() < MIN_SECRET {
        let reason =
            "must have at least 32 characters, as webhook_url is set; make some with `openssl rand -base64 32`";
        return Err(settings.invalid("anomalies", "webhook_secret", reason));
    }
    Ok(())
}

/// RFC 6749 §3.3
fn check_session_scope(scope: &str, settings: &Settings) -> Result<(), Problem> {
    let sound = scope.bytes().all(|b| b == b' ' || (0x21..=0x7e).contains(&b) && b != b'"' && b != b'\\');
    if !sound || scope.len() > 4096 {
        let reason = "must be scopes separated by spaces, in printable ASCII without quotes and backslashes";
        return Err(settings.invalid("gatekeeper", "session_scope", reason));
    }
    Ok(())
}

fn check_log(log: &Log, settings: &Settings) -> Result<(), Problem> {
    log_level::check(&log.level).map_err(|reason| settings.invalid("log", "level", reason))
}

/// Tokens of every app are for the issuer: it must not open the gate as well.
fn check_gate_audience(audience: &str, issuer: &str, settings: &Settings) -> Result<(), Problem> {
    let refuse = |reason: &str| Err(settings.invalid("gatekeeper", "audience", reason));
    if audience.is_empty() {
        return Ok(());
    }
    let is_uri = url::Url::parse(audience).is_ok_and(|url| url.fragment().is_none());
    if !is_uri || !audience.bytes().all(|b| b.is_ascii_graphic()) {
        return refuse("must be an absolute URI without a fragment, such as \"https://apps.example\", or \"\"");
    }
    if !issuer.is_empty() && audience.strip_prefix(issuer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    {
        return refuse("must not be the issuer or below it, as tokens of every app are for that");
    }
    Ok(())
}

fn missing(key: &str, fix: &str) -> Problem {
    Problem::Missing { key: key.to_owned(), fix: fix.to_owned() }
}

impl Server {
    /// Where `/metrics` is served, if it is.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_listen.parse().ok()
    }

    /// How many threads take connections.
    pub fn worker_threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            workers => workers,
        }
    }
}

impl Keys {
    /// The key that encrypts private keys at rest; a loaded configuration lacks it only in developers' mode.
    pub fn encryption_key_bytes(&self) -> Option<Zeroizing<[u8; 32]>> {
        self.encryption_key.as_ref().and_then(decode)
    }

    /// The key before that one, which opens and seals nothing any more.
    pub fn previous_encryption_key_bytes(&self) -> Option<Zeroizing<[u8; 32]>> {
        self.previous_encryption_key.as_ref().and_then(decode)
    }
}

fn decode(key: &SecretString) -> Option<Zeroizing<[u8; 32]>> {
    let text = Zeroizing::new(key.expose_secret().trim().trim_end_matches('=').replace('-', "+").replace('_', "/"));
    let bytes = Zeroizing::new(STANDARD_NO_PAD.decode(text.as_bytes()).ok()?);
    let key = <[u8; 32]>::try_from(bytes.as_slice()).ok()?;
    Some(Zeroizing::new(key))
}
