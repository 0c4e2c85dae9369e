//! How many failures of each proof are within the limit.

use std::net::IpAddr;

use super::restraints::RestraintKind;
use crate::config::{Limits, Rate};
use crate::domain::ThrottleKind;
use crate::storage::throttles::Counter;
use crate::support::host;

/// A secret that was presented, by whom it is said to be. What people choose has counters of its own
/// (`identity/login.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof<'a> {
    /// The secret or assertion of this client, which there is.
    Client(&'a str),
    /// That of a client that there is not. All of a network count together, so that names that somebody makes up leave no
    /// rows behind.
    UnknownClient,
    /// The API key of this id, which there is.
    ApiKey(&'a str),
    /// An API key that there is not.
    UnknownApiKey,
    /// A one-time link.
    Link,
}

/// How many failures are within the limit.
pub(super) struct FailureLimits {
    client: Rate,
    unknown_client: Rate,
    api_key: Rate,
    link: Rate,
}

impl FailureLimits {
    pub fn new(limits: &Limits) -> Self {
        let (count, seconds) = (limits.client_auth_failures, limits.client_auth_window_seconds);
        Self {
            client: Rate { count, seconds, burst: count },
            unknown_client: limits.unknown_client_failures_per_address,
            api_key: limits.api_key_failures_per_address,
            link: limits.link_failures_per_address,
        }
    }

    pub fn of(&self, proof: Proof<'_>) -> Rate {
        match proof {
            Proof::Client(_) => self.client,
            Proof::UnknownClient => self.unknown_client,
            Proof::ApiKey(_) | Proof::UnknownApiKey => self.api_key,
            Proof::Link => self.link,
        }
    }
}

impl Proof<'_> {
    pub(super) fn kind(self) -> RestraintKind {
        match self {
            Self::Client(_) => RestraintKind::ClientAuth,
            Self::UnknownClient => RestraintKind::UnknownClient,
            Self::ApiKey(_) => RestraintKind::ApiKey,
            Self::UnknownApiKey => RestraintKind::UnknownApiKey,
            Self::Link => RestraintKind::Link,
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Client(name) | Self::ApiKey(name) => name,
            _ => "",
        }
    }

    pub(super) fn counter(self, address: IpAddr) -> Counter {
        let kind = match self {
            Self::Client(_) => ThrottleKind::ClientAuth,
            Self::UnknownClient => ThrottleKind::UnknownClient,
            Self::ApiKey(_) => ThrottleKind::ApiKey,
            Self::UnknownApiKey => ThrottleKind::UnknownApiKey,
            Self::Link => ThrottleKind::Link,
        };
        Counter::new(kind, self.name(), self.name(), Some(&host(address).to_string()))
    }
}
