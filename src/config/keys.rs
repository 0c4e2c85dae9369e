//! A key and what it may hold.

use std::fmt;
use std::net::SocketAddr;

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
    /// As in TOML; `none` if there is none.
    pub default: &'static str,
    /// What it does, a line each, each with the space that follows the comment sign.
    pub doc: &'static [&'static str],
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
    RateText,
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
    Address, AddressOrEmpty, AnyOf, ContactOrEmpty, EmailOrEmpty, Line, Networks, OneOf, Origins, RateText,
    RouteLimits, Secret, Switch, Text, WebUrlOrEmpty,
};

pub(super) const SIGNING_ALGS: Rule = OneOf(&["ES256", "EdDSA", "RS256", "PS256"]);
pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 86_400;
pub(super) const DECADE: i64 = 3_650 * DAY;
pub(super) const MILLION: i64 = 1_000_000;

pub(super) const fn number(min: i64, max: i64) -> Rule {
    Rule::Number { min, max }
}

/// The environment variable of a key.
pub(super) fn variable(section: &str, name: &str) -> String {
    format!("LATCHWAY__{}__{}", section.to_ascii_uppercase(), name.to_ascii_uppercase())
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.section, self.name)
    }
}

impl Key {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        variable(self.section, self.name)
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
            (RateText, Value::String(text)) => text.parse::<rate::Rate>().is_ok(),
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
            RateText => rate::WANTED.to_owned(),
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
