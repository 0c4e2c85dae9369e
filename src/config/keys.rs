//! Every key that exists and what it may hold.

use std::fmt;
use std::net::SocketAddr;

use strsim::normalized_damerau_levenshtein as likeness;
use toml::Value;

use super::error::Origin;
use super::rate::{self, RouteLimit};
use super::{issuer, redact};
use crate::support::Network;

/// One setting.
#[derive(Debug)]
pub(super) struct Key {
    pub section: &'static str,
    pub name: &'static str,
    pub rule: Rule,
}

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// Text, whose meaning is checked elsewhere.
    Text,
    /// Text that is never shown.
    Secret,
    /// One line of text that is not empty.
    Line,
    OneOf(&'static [&'static str]),
    Address,
    AddressOrEmpty,
    /// A page of the web, or nothing.
    WebUrlOrEmpty,
    EmailOrEmpty,
    /// A page of the web or an e-mail address, or nothing.
    ContactOrEmpty,
    Networks,
    /// How often.
    Rate,
    /// Limits of single paths.
    RouteLimits,
    Origins,
    Switch,
    /// A list of some of these.
    AnyOf(&'static [&'static str]),
    Number {
        min: i64,
        max: i64,
    },
}

use Rule::{
    Address, AddressOrEmpty, AnyOf, ContactOrEmpty, EmailOrEmpty, Line, Networks, OneOf, Origins, Rate, RouteLimits,
    Secret, Switch, Text, WebUrlOrEmpty,
};

const SIGNING_ALGS: Rule = OneOf(&["ES256", "EdDSA", "RS256", "PS256"]);
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
const DECADE: i64 = 3_650 * DAY;
const MILLION: i64 = 1_000_000;

pub(super) static KEYS: &[Key] = &[
    key("server", "issuer", Text),
    key("server", "name", Line),
    key("server", "listen", Address),
    key("server", "hsts_include_subdomains", Switch),
    key("server", "help_url", WebUrlOrEmpty),
    key("server", "support_url", WebUrlOrEmpty),
    key("server", "support_email", EmailOrEmpty),
    key("server", "security_contact", ContactOrEmpty),
    key("server", "security_policy_url", WebUrlOrEmpty),
    key("server", "metrics_listen", AddressOrEmpty),
    key("server", "trusted_proxies", Networks),
    key("server", "workers", number(0, 1_024)),
    key("server", "shutdown_delay_seconds", number(0, HOUR)),
    key("server", "shutdown_timeout_seconds", number(0, HOUR)),
    key("server", "request_timeout_seconds", number(1, HOUR)),
    key("server", "max_requests", number(4, MILLION)),
    key("server", "max_connections", number(1, MILLION)),
    key("server", "max_connections_per_address", number(1, MILLION)),
    key("server", "max_unread_bodies_per_address", number(1, MILLION)),
    key("database", "url", Secret),
    key("database", "pool_size", number(1, 1_000)),
    key("database", "queue", number(1, MILLION)),
    key("database", "timeout_seconds", number(1, 300)),
    key("database", "connect_timeout_seconds", number(0, 300)),
    key("database", "start_timeout_seconds", number(0, HOUR)),
    key("database", "pooler", OneOf(&["auto", "session", "transaction"])),
    key("database", "migrate_on_start", Switch),
    key("keys", "encryption_key", Secret),
    key("keys", "previous_encryption_key", Secret),
    key("keys", "access_token_alg", SIGNING_ALGS),
    key("keys", "id_token_alg", SIGNING_ALGS),
    key("keys", "prepublish_seconds", number(1, 30 * DAY)),
    key("keys", "reload_seconds", number(1, HOUR)),
    key("tokens", "access_token_seconds", number(1, DAY)),
    key("tokens", "id_token_seconds", number(1, HOUR)),
    // RFC 6749 §4.1.2: a maximum lifetime of ten minutes is recommended.
    key("tokens", "code_seconds", number(1, 600)),
    key("tokens", "refresh_absolute_seconds", number(1, DECADE)),
    key("tokens", "refresh_idle_seconds", number(1, DECADE)),
    key("tokens", "refresh_retry_seconds", number(0, 300)),
    key("tokens", "clock_skew_seconds", number(0, 300)),
    key("sessions", "idle_seconds", number(1, DECADE)),
    key("sessions", "absolute_seconds", number(1, DECADE)),
    key("sessions", "transaction_seconds", number(1, DAY)),
    // RFC 8628 §6.1: what guards a user code is that it counts for a short time.
    key("device", "code_seconds", number(60, 1_800)),
    key("device", "interval_seconds", number(1, 60)),
    key("device", "max_requests", number(1, 1_000 * MILLION)),
    key("passwords", "memory_kib", number(8_192, 4 * 1_024 * 1_024)),
    key("passwords", "iterations", number(1, 100)),
    key("passwords", "parallelism", number(1, 64)),
    key("passwords", "max_parallel", number(1, 1_024)),
    key("passwords", "queue", number(1, MILLION)),
    key("passwords", "min_length", number(8, 64)),
    key("api_keys", "max_per_owner", number(1, MILLION)),
    key("api_keys", "max_made_per_day", number(1, MILLION)),
    key("api_keys", "overlap_seconds", number(0, 365 * DAY)),
    key("api_keys", "last_use_seconds", number(1, HOUR)),
    key("limits", "login_failures_per_account", number(1, 1_000 * MILLION)),
    key("limits", "login_failures_per_address", number(1, 1_000 * MILLION)),
    key("limits", "login_window_seconds", number(1, DAY)),
    key("limits", "client_auth_failures", number(1, 1_000 * MILLION)),
    key("limits", "client_auth_window_seconds", number(1, DAY)),
    key("limits", "authorize_per_address_per_minute", number(1, 1_000 * MILLION)),
    key("limits", "introspect_misses_per_minute", number(1, 1_000 * MILLION)),
    key("limits", "login_brake_after", number(1, 1_000 * MILLION)),
    key("limits", "login_brake_window_seconds", number(1, 7 * DAY)),
    key("limits", "login_brake_max_seconds", number(1, HOUR)),
    key("limits", "known_device_days", number(0, 3_650)),
    key("limits", "unknown_client_failures_per_address", Rate),
    key("limits", "api_key_failures_per_address", Rate),
    key("limits", "link_failures_per_address", Rate),
    key("limits", "user_code_failures", Rate),
    key("limits", "audited_refusals_per_address", Rate),
    key("limits", "authorize_per_address", Rate),
    key("limits", "token_per_address", Rate),
    key("limits", "token_per_client", Rate),
    key("limits", "device_per_address", Rate),
    key("limits", "device_per_client", Rate),
    key("limits", "introspect_per_address", Rate),
    key("limits", "introspect_per_client", Rate),
    key("limits", "revoke_per_address", Rate),
    key("limits", "revoke_per_client", Rate),
    key("limits", "userinfo_per_address", Rate),
    key("limits", "api_per_address", Rate),
    key("limits", "forward_auth_per_address", Rate),
    key("limits", "pages_per_address", Rate),
    key("limits", "metadata_per_address", Rate),
    key("limits", "routes", RouteLimits),
    key("limits", "slowed", Rate),
    key("anomalies", "enabled", Switch),
    key("anomalies", "webhook_url", Secret),
    key("anomalies", "webhook_secret", Secret),
    key("anomalies", "webhook_timeout_seconds", number(1, 60)),
    key("anomalies", "reaction_seconds", number(1, DAY)),
    key("anomalies", "password_spraying_accounts", number(1, 200)),
    key("anomalies", "password_spraying_window_seconds", number(60, DAY)),
    key("anomalies", "password_spraying_accounts_a_day", number(1, 200)),
    key("anomalies", "password_spraying_percent", number(1, 100)),
    key("anomalies", "password_spraying_reactions", AnyOf(&["slow_down", "block_address"])),
    key("anomalies", "credential_stuffing_accounts", number(1, 50_000)),
    key("anomalies", "credential_stuffing_networks", number(1, 50_000)),
    key("anomalies", "credential_stuffing_window_seconds", number(60, DAY)),
    key("anomalies", "credential_stuffing_percent", number(1, 100)),
    key("anomalies", "brute_force_account_failures", number(1, MILLION)),
    key("anomalies", "brute_force_account_window_seconds", number(60, DAY)),
    key("anomalies", "brute_force_account_failures_a_day", number(1, MILLION)),
    key("anomalies", "brute_force_account_reactions", AnyOf(&["slow_down", "block_address"])),
    key("anomalies", "brute_force_client_secrets", number(2, 200)),
    key("anomalies", "brute_force_client_window_seconds", number(60, DAY)),
    key("anomalies", "brute_force_client_reactions", AnyOf(&["slow_down", "block_address"])),
    key("anomalies", "token_reuse_reactions", AnyOf(&["fresh_login", "revoke_family", "slow_down", "block_address"])),
    key("anomalies", "client_burst_clients", number(2, MILLION)),
    key("anomalies", "client_burst_window_seconds", number(60, DAY)),
    key("anomalies", "new_network_uses", number(1, MILLION)),
    key("anomalies", "new_network_days", number(0, 30)),
    key("anomalies", "new_network_moves", number(0, MILLION)),
    key("anomalies", "new_network_reactions", AnyOf(&["fresh_login", "revoke_family", "slow_down", "block_address"])),
    key("anomalies", "error_rate_errors", number(1, MILLION)),
    key("anomalies", "error_rate_window_seconds", number(60, DAY)),
    key("anomalies", "error_rate_percent", number(1, 100)),
    key("anomalies", "error_rate_reactions", AnyOf(&["slow_down"])),
    key("gatekeeper", "allowed_origins", Origins),
    key("gatekeeper", "audience", Text),
    key("gatekeeper", "session_scope", Text),
    key("log", "format", OneOf(&["json", "text"])),
    key("log", "level", Line),
    key("cleanup", "interval_seconds", number(1, DAY)),
    key("cleanup", "batch", number(1, 1_000)),
    key("cleanup", "audit_days", number(1, 36_500)),
    key("audit", "checkpoint_seconds", number(1, 600)),
];

pub(super) const fn key(section: &'static str, name: &'static str, rule: Rule) -> Key {
    Key { section, name, rule }
}

const fn number(min: i64, max: i64) -> Rule {
    Rule::Number { min, max }
}

/// The key of that name, if there is one.
pub(super) fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// Whether there is a section of that name.
pub(super) fn is_section(section: &str) -> bool {
    KEYS.iter().any(|key| key.section == section)
}

/// The key most like what was written, by section and name together; the name counts more, since a key in the wrong
/// section is a common slip.
pub(super) fn nearest(section: &str, name: &str) -> &'static Key {
    most_like(|key| likeness(key.section, section) + 2.0 * likeness(key.name, name))
}

/// The key whose name alone is most like what was written.
pub(super) fn nearest_name(name: &str) -> &'static Key {
    most_like(|key| likeness(key.name, name))
}

/// The section whose name is most like what was written.
pub(super) fn nearest_section(section: &str) -> &'static str {
    most_like(|key| likeness(key.section, section)).section
}

fn most_like(score: impl Fn(&Key) -> f64) -> &'static Key {
    KEYS.iter().fold(&KEYS[0], |best, key| if score(key) > score(best) { key } else { best })
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.section, self.name)
    }
}

impl Key {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("LATCHWAY__{}__{}", self.section.to_ascii_uppercase(), self.name.to_ascii_uppercase())
    }

    /// Key and value as an error message may show them: on one line, not endless, and without secrets, which a file that
    /// the environment names may always be.
    pub fn shown(&self, value: &Value, origin: &Origin) -> String {
        if matches!(self.rule, Secret) || matches!(origin, Origin::VariableFile(..)) {
            return self.to_string();
        }
        let text = match value {
            Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
            other => inline(other),
        };
        let short: String = text.chars().take(100).collect();
        format!("{self} = {short}{}", if short == text { "" } else { "…" })
    }

    /// A value that arrived as text, such as from the environment, in the type that this key wants.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let value = match self.rule {
            Rule::Number { .. } => text.trim().parse().ok().map(Value::Integer),
            Switch => text.trim().parse().ok().map(Value::Boolean),
            Networks | Origins | RouteLimits | AnyOf(_) => list(text.trim()),
            _ => Some(Value::String(text.to_owned())),
        };
        value.ok_or_else(|| self.rule.wanted())
    }

    /// Refuses, saying what is wanted, a value that this key cannot hold.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        match (self.rule, value) {
            _ if self.rule.accepts(value) => Ok(()),
            (Rule::Number { .. } | Switch, Value::String(_)) => Err(self.rule.wanted() + ", written without quotes"),
            _ => Err(self.rule.wanted()),
        }
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{:?}", redact::url(text)),
        Value::Array(_) => "[…]".to_owned(),
        Value::Table(_) => "{…}".to_owned(),
        other => other.to_string(),
    }
}

fn list(text: &str) -> Option<Value> {
    if text.starts_with('[') {
        return text.parse().ok();
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    Some(Value::Array(items.map(Value::from).collect()))
}

impl Rule {
    fn accepts(self, value: &Value) -> bool {
        match (self, value) {
            (Text | Secret, Value::String(_)) => true,
            (Line, Value::String(text)) => !text.trim().is_empty() && !text.contains(char::is_control),
            (OneOf(choices), Value::String(text)) => choices.contains(&text.as_str()),
            (Address, Value::String(text)) => text.parse::<SocketAddr>().is_ok(),
            (AddressOrEmpty, Value::String(text)) => text.is_empty() || text.parse::<SocketAddr>().is_ok(),
            (WebUrlOrEmpty, Value::String(text)) => text.is_empty() || is_web_url(text),
            (EmailOrEmpty, Value::String(text)) => text.is_empty() || is_email(text),
            (ContactOrEmpty, Value::String(text)) => text.is_empty() || is_web_url(text) || is_email(text),
            (Networks, Value::Array(items)) => items.iter().all(is_network),
            (AnyOf(words), Value::Array(items)) => {
                items.iter().all(|item| item.as_str().is_some_and(|text| words.contains(&text)))
            }
            (Rate, Value::String(text)) => text.parse::<rate::Rate>().is_ok(),
            (RouteLimits, Value::Array(items)) => {
                items.iter().all(|item| item.as_str().is_some_and(|text| text.parse::<RouteLimit>().is_ok()))
            }
            (Origins, Value::Array(items)) => items.iter().all(is_origin),
            (Rule::Number { min, max }, Value::Integer(n)) => (min..=max).contains(n),
            (Switch, Value::Boolean(_)) => true,
            _ => false,
        }
    }

    /// What a value must be, as an error says it.
    pub(super) fn wanted(self) -> String {
        match self {
            Text | Secret => "must be text in quotes".to_owned(),
            Line => "must be one line of text, not empty".to_owned(),
            OneOf(choices) => format!("must be one of {}", choices.join(", ")),
            Address => "must be an IP address and port, such as \"127.0.0.1:8080\"".to_owned(),
            AddressOrEmpty => "must be an IP address and port, such as \"127.0.0.1:9464\", or \"\" for off".to_owned(),
            WebUrlOrEmpty => "must be a URL such as \"https://help.example/login\", https or http on a loopback host, or \"\" for none".to_owned(),
            EmailOrEmpty => "must be an e-mail address, such as \"support@example.com\", or \"\" for none".to_owned(),
            ContactOrEmpty => "must be an https URL or an e-mail address, such as \"security@example.com\", or \"\" for none".to_owned(),
            Networks => {
                "must be a list of networks, such as [\"10.0.0.0/8\"]; one address is written with /32 or /128, \
                         such as \"10.0.0.1/32\", and IPv4-mapped IPv6 has at least /96"
                    .to_owned()
            }
            AnyOf(words) => format!("must be a list of some of {}, or []", words.join(", ")),
            Rate => rate::WANTED.to_owned(),
            RouteLimits => rate::ROUTE_WANTED.to_owned(),
            Origins => {
                "must be a list of origins, such as [\"https://app.example\"]: https (http on a loopback host), in lower \
                 case, without a path or a slash at the end"
                    .to_owned()
            }
            Switch => "must be true or false".to_owned(),
            Rule::Number { min, max } => format!("must be a whole number from {min} to {max}"),
        }
    }
}

/// Pages link there, so that it is of the web, and a line of a header-like file, so that it is one line.
fn is_web_url(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else { return false };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && issuer::is_loopback(&url));
    is_safe && url.username().is_empty() && url.password().is_none() && text.bytes().all(|b| (0x21..=0x7e).contains(&b))
}

fn is_email(text: &str) -> bool {
    let plain =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_+".contains(&b));
    text.len() <= 254
        && text.split_once('@').is_some_and(|(name, host)| plain(name) && plain(host) && host.contains('.'))
}

fn is_network(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<Network>().is_ok())
}

/// An origin is written as an issuer is; it stands for itself alone.
fn is_origin(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.contains('*') && issuer::check(text).is_ok())
}
