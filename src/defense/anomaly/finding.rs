//! A finding of a rule: its rule, its subject and its reason.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::domain::words;
use crate::support::Seconds;

words! {
    /// What it looks like.
    Rule {
        /// One network tries a few passwords for many accounts.
        PasswordSpraying = "password_spraying",
        /// Many accounts are tried from many networks.
        CredentialStuffing = "credential_stuffing",
        /// Many passwords are tried for one account.
        BruteForceAccount = "brute_force_account",
        /// Many secrets are tried for one client.
        BruteForceClient = "brute_force_client",
        /// A code or refresh token was used twice: one of the two was not the client.
        TokenReuse = "token_reuse",
        /// Many clients are registered.
        ClientBurst = "client_burst",
        /// A family of tokens is used from where it never was, in the name of a client whose families stay where they are.
        NewNetwork = "new_network",
        /// A client is refused far more often than it used to be.
        ErrorRate = "error_rate",
    }
}

words! {
    /// How much of a hurry there is.
    Severity {
        Low = "low",
        Medium = "medium",
        High = "high",
    }
}

/// Whom a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    Network(IpNet),
    /// As the audit trail names an account.
    Account(String),
    Client(String),
    /// A family of tokens.
    Family(String),
    ApiKey(String),
    Everybody,
}

impl Subject {
    /// What kind it is, for machines.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Network(_) => "network",
            Self::Account(_) => "account",
            Self::Client(_) => "client",
            Self::Family(_) => "family",
            Self::ApiKey(_) => "api_key",
            Self::Everybody => "everybody",
        }
    }

    /// What [`Subject::kind`] and [`Subject::value`] told.
    pub fn read(kind: &str, value: &str) -> Option<Self> {
        Some(match kind {
            "network" => Self::Network(value.parse().ok()?),
            "account" => Self::Account(value.to_owned()),
            "client" => Self::Client(value.to_owned()),
            "family" => Self::Family(value.to_owned()),
            "api_key" => Self::ApiKey(value.to_owned()),
            "everybody" => Self::Everybody,
            _ => return None,
        })
    }

    /// Which one of that kind.
    pub fn value(&self) -> String {
        match self {
            Self::Network(network) => network.to_string(),
            Self::Account(name) | Self::Client(name) | Self::Family(name) | Self::ApiKey(name) => name.clone(),
            Self::Everybody => String::new(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.write_str(self.kind()),
            other => write!(f, "{} {}", other.kind(), other.value()),
        }
    }
}

/// Something that looks like an attack, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub rule: Rule,
    pub severity: Severity,
    pub subject: Subject,
    /// A sentence with the numbers and the threshold.
    pub reason: String,
    /// How many there were of what the rule counts, in the window.
    pub count: u64,
    pub threshold: u64,
    /// In seconds.
    pub window: Seconds,
    /// When the rule was first met, of what is still going on.
    pub since: Seconds,
    pub at: Seconds,
    /// From where, as far as a few say it.
    pub addresses: Vec<IpAddr>,
    pub client: Option<String>,
    pub family: Option<String>,
}

impl Finding {
    /// One that rests on nothing yet.
    pub(super) fn new(rule: Rule, subject: Subject, reason: String, window: Seconds, at: Seconds) -> Self {
        Self {
            rule,
            severity: rule.severity(),
            subject,
            reason,
            count: 0,
            threshold: 0,
            window,
            since: at,
            at,
            addresses: Vec::new(),
            client: None,
            family: None,
        }
    }
}

impl Rule {
    pub const fn severity(self) -> Severity {
        match self {
            Self::CredentialStuffing | Self::TokenReuse => Severity::High,
            Self::PasswordSpraying | Self::BruteForceAccount | Self::BruteForceClient | Self::NewNetwork => {
                Severity::Medium
            }
            Self::ClientBurst | Self::ErrorRate => Severity::Low,
        }
    }
}
